#include "hepar/pipeline/doctor_command.h"

#include <array>

#include "doctor/measure.h"
#include "hepar/core/log.h"

namespace hepar {

void DoctorConfig::declare(ConfigSchema& schema) {
  schema.add("folder", folder, "Folder in which to try files: where experiments will be kept", {},
             Effect::kNone);
  schema.add("wait_s", wait_s, "Seconds to wait for a file that another rank wrote",
             Range{.low = 0}, Effect::kNone);
  schema.add("json", json, "One JSON object: findings and everything measured", {}, Effect::kNone);
}

DoctorFacts examine(const DoctorConfig& config, bool dry_run, Communicator& world) {
  DoctorFacts facts;
  facts.announced_ranks = detail::launched_ranks();
  facts.ranks = detail::gather_rank_facts(world);
  facts.all_reduce = detail::time_all_reduce(world);
  facts.clocks = detail::compare_clocks(world, facts.ranks);
  if (!dry_run) {
    facts.folder = detail::try_folder(config.folder, config.wait_s, world);
  }
  return facts;
}

ExitCode run_doctor(const DoctorConfig& config, bool dry_run, Communicator& world) {
  const DoctorFacts facts = examine(config, dry_run, world);
  std::array<std::int64_t, 1> code{0};
  if (world.is_root()) {
    const std::vector<Finding> findings = judge(facts);
    code[0] = static_cast<std::int64_t>(exit_code(findings));
    log::print(config.json ? doctor_json(findings, facts).dump(2) : doctor_text(findings));
  }
  world.all_reduce(code, ReduceOp::kMax);
  return static_cast<ExitCode>(code[0]);
}

}  // namespace hepar
