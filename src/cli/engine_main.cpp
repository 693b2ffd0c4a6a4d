#include <c10/util/Exception.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/comm/main_guard.h"
#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/memory.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/choose_command.h"
#include "hepar/pipeline/classify_command.h"
#include "hepar/pipeline/doctor_command.h"
#include "hepar/pipeline/predict_command.h"
#include "hepar/pipeline/pseudo_label_command.h"
#include "hepar/pipeline/run_command.h"
#include "hepar/pipeline/train_command.h"
#include "hepar/pipeline/voi_command.h"

namespace hepar {
namespace {

using Arguments = std::vector<std::string>;

/// Rank 0 prints the help, all ranks read the same command line.
template <class Config>
CommandAction read_command(const CommandName& name, const Arguments& arguments, Config& config,
                           const Communicator& world) {
  ConfigSchema schema;
  config.declare(schema);
  const bool help = std::find(arguments.begin(), arguments.end(), "--help") != arguments.end();
  return help && !world.is_root() ? CommandAction::kHelp : parse_command(name, arguments, schema);
}

/// What every command does: read its keys, print the help or run.
template <class Config, class Run>
ExitCode with_config(const CommandName& name, const Arguments& arguments, Communicator& world,
                     Run&& run, Config& config) {
  const CommandAction action = read_command(name, arguments, config, world);
  const bool dry_run = action == CommandAction::kDryRun;
  return action == CommandAction::kHelp ? ExitCode::kDone
                                        : std::forward<Run>(run)(config, dry_run, world);
}

using Command = std::function<ExitCode(const std::string& name, const Arguments&, Communicator&)>;

/// A command that is done when it returns.
template <class Config>
Command command(const std::string& summary, void (*run)(const Config&, bool, Communicator&)) {
  return [=](const std::string& name, const Arguments& arguments, Communicator& world) {
    Config config;
    const auto done = [run](const Config& given, bool dry_run, Communicator& ranks) {
      run(given, dry_run, ranks);
      return ExitCode::kDone;
    };
    return with_config({"hepar", name, summary}, arguments, world, done, config);
  };
}

ExitCode train(const std::string& name, const Arguments& arguments, Communicator& world) {
  TrainConfig config;
  return with_config(
      {"hepar", name, "train a segmentation or staging network, or continue an interrupted run"},
      arguments, world, run_train_command, config);
}

ExitCode doctor(const std::string& name, const Arguments& arguments, Communicator& world) {
  DoctorConfig config;
  return with_config({"hepar", name, "check a node or an allocation, and say what to do"},
                     arguments, world, run_doctor, config);
}

ExitCode run_trials(const std::string& name, const Arguments& arguments, Communicator& world) {
  RunExperimentConfig config;
  const Arguments words = take_overrides(arguments, config.overrides);
  return with_config(
      {"hepar", name, "do what is not done of an experiment: hepar run EXPERIMENT.yaml"}, words,
      world, run_experiment, config);
}

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> known{
      {"train", train},
      {"predict",
       command("segment NIfTI files or a cohort with trained models", run_predict_command)},
      {"pseudo-label", command("masks of trained models for a cohort's unlabelled images",
                               run_pseudo_label_command)},
      {"voi",
       command("the liver's volume of interest in every sequence of a cohort", run_voi_command)},
      {"classify", command("fibrosis scores of volumes of interest by trained staging networks",
                           run_classify_command)},
      {"choose", command("find the best of several trained configurations, or the best two",
                         run_choose_command)},
      {"run", run_trials},
      {"doctor", doctor}};
  return known;
}

int run_command(Arguments arguments, Communicator& world) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : commands()) {
    names.push_back(name);
  }
  require<ConfigError>(!arguments.empty(), "hepar-engine: wanted a command: " + join(names, " | "));
  const std::string name = arguments.front();
  arguments.erase(arguments.begin());
  const auto found = commands().find(name);
  require<ConfigError>(found != commands().end(),
                       "hepar-engine: unknown command '" + name + "'; known: " + join(names, ", "));
  return static_cast<int>(found->second(name, arguments, world));
}

int run(const Arguments& arguments) {
  Communicator world = Communicator::world();
  log::set_rank(world.rank(), world.size());
  try {
    return run_command(arguments, world);
  } catch (const c10::Error& e) {
    throw Error(e.what_without_backtrace());  // a user is not helped by Torch's stack
  }
}

}  // namespace
}  // namespace hepar

int main(int argc, char** argv) {
  hepar::keep_freed_memory();
  return hepar::run_with_mpi(argc, argv, [&] { return hepar::run({argv + 1, argv + argc}); });
}
