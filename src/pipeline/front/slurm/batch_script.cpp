#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/slurm.h"
#include "slurm/shell.h"

namespace hepar {
namespace {

constexpr const char* kResourcesMark = "#@RESOURCES";
constexpr const char* kSetupMark = "#@SETUP";

std::string option_lines(const JobArray& array, const ScriptPlace& place) {
  const JobResources& r = array.resources;
  std::string elements = "0-" + std::to_string(array.elements.size() - 1);
  if (r.throttle > 0) {
    elements.append("%").append(std::to_string(r.throttle));
  }
  std::vector<std::string> options{
      "--job-name=" + place.experiment.filename().string() + "-" + array.name,
      "--array=" + elements,
      "--output=" + place.log.string(),
      "--open-mode=append",
      "--requeue",
      "--nodes=" + std::to_string(r.nodes),
      "--ntasks=" + std::to_string(r.ranks),
      "--cpus-per-task=" + std::to_string(r.cpus_per_rank),
      "--time=" + r.time};
  const auto given = [&](const char* option, const std::string& value) {
    if (!value.empty()) {
      options.push_back(std::string(option) + value);
    }
  };
  given("--signal=B:USR1@", r.signal_s > 0 ? std::to_string(r.signal_s) : "");
  given("--partition=", r.partition);
  given("--account=", r.account);
  given("--qos=", r.qos);
  given("--constraint=", r.constraint);
  given("--mem=", r.memory);
  given("--gpus-per-node=", r.gpus_per_node > 0 ? std::to_string(r.gpus_per_node) : "");
  options.insert(options.end(), r.sbatch.begin(), r.sbatch.end());
  return "#SBATCH " + join(options, "\n#SBATCH ") + "\n";
}

std::string variable_lines(const JobArray& array, const ScriptPlace& place) {
  const JobResources& r = array.resources;
  const auto variable = [](const char* name, const std::string& value) {
    return std::string(name) + "=" + detail::shell_quoted(value) + "\n";
  };
  return variable("experiment", place.experiment.string()) + variable("list", place.list.string()) +
         variable("program", r.program.empty() ? place.program : r.program) +
         variable("launcher", r.launcher) + variable("ranks", std::to_string(r.ranks)) +
         variable("cpus", std::to_string(r.cpus_per_rank)) +
         variable("requeues", std::to_string(r.requeues)) + "container=(" + r.container + ")\n" +
         (r.setup.empty() ? "" : join(r.setup, "\n") + "\n");
}

}  // namespace

std::string batch_script(const JobArray& array, const ScriptPlace& place, const std::string& body) {
  std::string text;
  int marks = 0;
  for (const std::string& line : split(body, '\n')) {
    if (line == kResourcesMark) {
      text += option_lines(array, place);
      ++marks;
    } else if (line == kSetupMark) {
      text += variable_lines(array, place);
      ++marks;
    } else {
      text += line + "\n";
    }
  }
  require<ConfigError>(marks == 2, std::string("the batch script's body: wanted one line '") +
                                       kResourcesMark + "' and one line '" + kSetupMark + "'");
  while (text.ends_with("\n\n")) {
    text.pop_back();
  }
  return text;
}

}  // namespace hepar
