#include "hepar/core/error.h"
#include "hepar/pipeline/experiment.h"

namespace hepar {
namespace {

constexpr int kFormat = 1;

Json to_json(const TableSpec& table) {
  Json groups = Json::array();
  for (const TableSpec::Group& group : table.groups) {
    groups.push_back({{"name", group.name}, {"split", group.split}, {"domain", group.domain}});
  }
  return {{"kind", table.kind},     {"title", table.title},     {"scores", table.scores},
          {"cohort", table.cohort}, {"rows", table.rows},       {"titles", table.titles},
          {"groups", groups},       {"fusion", table.fusion},   {"ood", table.ood},
          {"draws", table.draws},   {"compare", table.compare}, {"paper", table.paper},
          {"noise", table.noise},   {"swapped", table.swapped}, {"fit", table.fit}};
}

TableSpec table_from_json(const Json& json) {
  TableSpec table;
  table.kind = json.value("kind", table.kind);  // experiments written before there were two
  table.title = json.at("title");
  table.scores = json.at("scores");
  table.cohort = json.at("cohort");
  table.rows = json.at("rows");
  table.titles = json.at("titles");
  for (const Json& group : json.at("groups")) {
    table.groups.push_back({group.at("name"), group.at("split"), group.at("domain")});
  }
  table.compare = json.at("compare");
  table.fusion = json.value("fusion", table.fusion);
  table.ood = json.value("ood", table.ood);
  table.draws = json.value("draws", table.draws);
  table.paper = json.at("paper");
  table.noise = json.value("noise", table.noise);
  table.swapped = json.value("swapped", table.swapped);
  table.fit = json.value("fit", table.fit);
  return table;
}

Json to_json(const SweepSpec& sweep) {
  return {{"metric",
           {{"stage", sweep.metric.stage}, {"key", sweep.metric.key}, {"goal", sweep.metric.goal}}},
          {"repeats", sweep.repeats},
          {"samples", sweep.samples},
          {"seed", sweep.seed},
          {"asha",
           {{"stage", sweep.asha.stage}, {"rungs", sweep.asha.rungs}, {"eta", sweep.asha.eta}}}};
}

SweepSpec sweep_from_json(const Json& json) {
  SweepSpec sweep;
  const Json& metric = json.at("metric");
  const Json& asha = json.at("asha");
  sweep.metric = {metric.at("stage"), metric.at("key"), metric.at("goal")};
  sweep.repeats = json.at("repeats");
  sweep.samples = json.at("samples");
  sweep.seed = json.at("seed");
  sweep.asha = {asha.at("stage"), asha.at("rungs"), asha.at("eta")};
  return sweep;
}

Json to_json(const Trial& trial) {
  Json json{{"id", trial.id},         {"stage", trial.stage},     {"command", trial.command},
            {"axes", trial.axes},     {"inputs", trial.inputs},   {"config", trial.config},
            {"output", trial.output}, {"results", trial.results}, {"steps", trial.steps}};
  if (trial.first_step > 0) {
    json["first_step"] = trial.first_step;
  }
  return json;
}

Trial trial_from_json(const Json& json) {
  Trial trial;
  trial.id = json.at("id");
  trial.stage = json.at("stage");
  trial.command = json.at("command");
  trial.axes = json.at("axes");
  trial.inputs = json.at("inputs");
  trial.config = json.at("config");
  trial.output = json.at("output");
  trial.results = json.at("results");
  trial.steps = json.at("steps");
  trial.first_step = json.value("first_step", trial.first_step);
  return trial;
}

}  // namespace

Json to_json(const Experiment& experiment) {
  Json json{{"format", kFormat},       {"name", experiment.name},
            {"axes", experiment.axes}, {"stages", experiment.stages},
            {"trials", Json::array()}, {"cells", Json::array()},
            {"table", nullptr},        {"document", experiment.document}};
  for (const Trial& trial : experiment.trials) {
    json["trials"].push_back(to_json(trial));
  }
  for (const Cell& cell : experiment.cells) {
    json["cells"].push_back({{"stage", cell.stage}, {"axes", cell.axes}, {"id", cell.id}});
  }
  if (experiment.table) {
    json["table"] = to_json(*experiment.table);
  }
  if (experiment.sweep) {
    json["sweep"] = to_json(*experiment.sweep);
  }
  return json;
}

Experiment experiment_from_json(const Json& json, const std::string& where) {
  const int format = json_get<int>(json, "format", where);
  require<DataError>(format == kFormat, where + ": wanted format " + std::to_string(kFormat) +
                                            ", found " + std::to_string(format) +
                                            "; use the version of hepar that wrote it");
  try {
    Experiment experiment;
    experiment.name = json.at("name");
    experiment.axes = json.at("axes");
    experiment.stages = json.at("stages");
    for (const Json& trial : json.at("trials")) {
      experiment.trials.push_back(trial_from_json(trial));
    }
    for (const Json& cell : json.at("cells")) {
      experiment.cells.push_back({cell.at("stage"), cell.at("axes"), cell.at("id")});
    }
    if (!json.at("table").is_null()) {
      experiment.table = table_from_json(json.at("table"));
    }
    if (json.contains("sweep")) {
      experiment.sweep = sweep_from_json(json.at("sweep"));
    }
    experiment.document = json.at("document");
    return experiment;
  } catch (const nlohmann::json::exception& e) {
    throw DataError(where + ": is damaged: " + e.what());
  }
}

}  // namespace hepar
