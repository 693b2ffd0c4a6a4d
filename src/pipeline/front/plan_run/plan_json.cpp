#include "plan_run/plan_output.h"

namespace hepar::detail {
namespace {

Json amounts_json(const Amounts& sum) {
  return {{"trials", sum.trials},        {"not_measured", sum.not_measured},
          {"seconds", sum.seconds},      {"core_hours", sum.core_hours},
          {"gpu_hours", sum.gpu_hours},  {"written_bytes", sum.written_bytes},
          {"read_bytes", sum.read_bytes}};
}

Json estimate_json(const Trial& trial, const PlannedRun& run) {
  const Estimate& estimate = run.estimates.at(trial.id);
  Json json{{"stage", trial.stage}, {"axes", trial.axes}, {"basis", to_string(estimate.basis)}};
  if (!estimate.measured()) {
    json["reason"] = estimate.reason;
    return json;
  }
  json.update({{"seconds", estimate.seconds},
               {"core_hours", estimate.core_hours},
               {"gpu_hours", estimate.gpu_hours},
               {"written_bytes", estimate.written_bytes},
               {"read_bytes", run.read_bytes.at(trial.id)},
               {"differs", estimate.differs},
               {"scaled", estimate.scaled},
               {"rests_on", Json::array()}});
  for (const MeasuredTrial* seen : estimate.rests_on) {
    json["rests_on"].push_back({{"folder", seen->folder}, {"trial", seen->trial.id}});
  }
  return json;
}

Json queue_json(const QueuePlan& queue) {
  return {{"arrays", queue.arrays},
          {"elements", queue.elements},
          {"requeues", queue.requeues},
          {"too_long", queue.too_long},
          {"too_often", queue.too_often}};
}

Json machine_json(const Machine& machine) {
  return {{"nodes", machine.nodes},
          {"ranks_per_node", machine.ranks_per_node},
          {"gpus_per_node", machine.gpus_per_node},
          {"ranks_per_trial", machine.site ? Json() : Json(machine.ranks_per_trial)}};
}

Json error_json(const Backtest& error) {
  Json commands = Json::object(), walls = Json::object();
  for (const CommandError& one : error.commands) {
    commands[one.command] = {{"trials", one.trials},
                             {"no_other", one.alone},
                             {"measured_s", one.measured_s},
                             {"predicted_s", one.predicted_s},
                             {"median_error", one.trials > 0 ? Json(one.median_error) : Json()}};
  }
  for (const WallError& one : error.walls) {
    walls[one.folder] = {{"trials", one.trials},
                         {"as_measured", one.alone},
                         {"groups", one.groups},
                         {"measured_s", one.measured_s},
                         {"predicted_s", one.predicted_s}};
  }
  return {{"commands", commands}, {"walls", walls}};
}

}  // namespace

Json plan_json(const PlannedRun& run) {
  Json stages = Json::object(), trials = Json::object();
  for (const std::string& stage : run.experiment.stages) {
    if (const auto found = run.stages.find(stage); found != run.stages.end()) {
      stages[stage] = amounts_json(found->second);
    }
  }
  for (const Trial& trial : run.experiment.trials) {
    trials[trial.id] = estimate_json(trial, run);
  }
  return {{"experiment", run.experiment.name},
          {"machine", machine_json(run.machine)},
          {"wall_s", run.packing.makespan_s},
          {"longest_chain_s", run.packing.longest_chain_s},
          {"node_hours", run.packing.makespan_s / 3600 * run.machine.nodes},
          {"totals", amounts_json(run.all)},
          {"stages", stages},
          {"queue", run.queue ? queue_json(*run.queue) : Json()},
          {"trials", trials},
          {"assumptions", run.assumptions},
          {"error", error_json(run.error)}};
}

}  // namespace hepar::detail
