#include <algorithm>

#include "doctor/points.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/doctor.h"

namespace hepar {
namespace {

Json folder_json(const FolderFacts& folder) {
  return {{"folder", folder.folder},
          {"problem", folder.problem},
          {"blind", folder.blind},
          {"unseen", folder.unseen},
          {"delay_s", folder.delay_s},
          {"delay_back_s", folder.delay_back_s},
          {"rounds", folder.rounds},
          {"shared_creations", folder.shared_creations},
          {"shared_renames", folder.shared_renames},
          {"lock_error", folder.lock_error},
          {"lock_excludes", folder.lock_excludes},
          {"free_bytes", folder.free_bytes}};
}

Json measured_json(const DoctorFacts& facts) {
  Json document = Json::object();
  for (const AllReduceTime& time : facts.all_reduce) {
    document["all_reduce"].push_back(
        {{"bytes", time.bytes},
         {"median_s", time.median_s},
         {"repeats", time.repeats},
         {"bytes_per_s", static_cast<double>(time.bytes) / time.median_s}});
  }
  for (const ClockOffset& clock : facts.clocks) {
    document["clocks"].push_back({{"host", clock.host},
                                  {"offset_s", clock.offset_s},
                                  {"uncertainty_s", clock.uncertainty_s}});
  }
  if (facts.folder) {
    document["folder"] = folder_json(*facts.folder);
  }
  for (const RankFacts& rank : facts.ranks) {
    document["ranks"].push_back(to_json(rank));
  }
  return document;
}

std::size_t count(const std::vector<Finding>& findings, Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Finding& finding) { return finding.verdict == verdict; }));
}

Verdict worst(const std::vector<Finding>& findings) {
  return count(findings, Verdict::kProblem) > 0 ? Verdict::kProblem
         : count(findings, Verdict::kNote) > 0  ? Verdict::kNote
                                                : Verdict::kOk;
}

std::string counted(std::size_t number, const std::string& noun) {
  return (number == 0 ? "no" : std::to_string(number)) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kNote:
      return "note";
    default:
      return "problem";
  }
}

std::vector<Finding> judge(const DoctorFacts& facts) {
  std::vector<Finding> findings{detail::judge_launcher(facts),   detail::judge_hosts(facts),
                                detail::judge_processors(facts), detail::judge_threads(facts),
                                detail::judge_versions(facts),   detail::judge_gpus(facts),
                                detail::judge_all_reduce(facts), detail::judge_clocks(facts)};
  if (facts.folder) {
    const std::vector<Finding> of_folder = detail::judge_folder(*facts.folder);
    findings.insert(findings.end(), of_folder.begin(), of_folder.end());
  }
  return findings;
}

ExitCode exit_code(const std::vector<Finding>& findings) {
  const auto problem = std::find_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.verdict == Verdict::kProblem;
  });
  return problem == findings.end() ? ExitCode::kDone : problem->code;
}

std::string doctor_text(const std::vector<Finding>& findings) {
  std::vector<std::vector<std::string>> rows{{"point", "verdict", "found"}};
  std::string advice;
  for (const Finding& finding : findings) {
    rows.push_back({finding.point, to_string(finding.verdict), finding.found});
    if (finding.verdict != Verdict::kOk && !finding.advice.empty()) {
      advice += finding.point + ": " + finding.advice + "\n";
    }
  }
  return format_table(rows) + "\n" + advice +
         counted(count(findings, Verdict::kProblem), "problem") + ", " +
         counted(count(findings, Verdict::kNote), "note");
}

Json doctor_json(const std::vector<Finding>& findings, const DoctorFacts& facts) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"point", finding.point},
                    {"verdict", to_string(finding.verdict)},
                    {"found", finding.found},
                    {"advice", finding.advice}});
  }
  Json document{{"verdict", to_string(worst(findings))}, {"findings", list}};
  document.update(measured_json(facts));
  return document;
}

Json to_json(const RankFacts& facts) {
  return {{"host", facts.host},       {"processors", facts.processors}, {"cores", facts.cores},
          {"threads", facts.threads}, {"versions", facts.versions},     {"devices", facts.devices}};
}

RankFacts rank_facts_from_json(const Json& json, const std::string& where) {
  return {.host = json_get<std::string>(json, "host", where),
          .processors = json_get<std::vector<int>>(json, "processors", where),
          .cores = json_get<std::vector<int>>(json, "cores", where),
          .threads = json_get<std::int64_t>(json, "threads", where),
          .versions = json_get<std::map<std::string, std::string>>(json, "versions", where),
          .devices = json_get<std::vector<std::string>>(json, "devices", where)};
}

}  // namespace hepar
