#include <c10/util/Exception.h>
#include <malloc.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/comm/main_guard.h"
#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/choose_command.h"
#include "hepar/pipeline/classify_command.h"
#include "hepar/pipeline/predict_command.h"
#include "hepar/pipeline/pseudo_label_command.h"
#include "hepar/pipeline/run_command.h"
#include "hepar/pipeline/train_command.h"
#include "hepar/pipeline/voi_command.h"

namespace hepar {
namespace {

using Arguments = std::vector<std::string>;

/// A training step allocates and frees the same activations again and again. Given back to the
/// system each time, they cost a page fault for every 4 KiB: 17 % of a step's time on two ranks
/// (25.7 s to 21.3 s for 20 steps of a 16-128 U-Net), for 18 % more resident memory.
void keep_freed_memory() {
  constexpr int kTopPadBytes = 64 << 20;
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, kTopPadBytes);
}

/// Rank 0 prints the help, all ranks read the same command line.
template <class Config>
CommandAction read_command(const CommandName& name, const Arguments& arguments, Config& config,
                           const Communicator& world) {
  ConfigSchema schema;
  config.declare(schema);
  const bool help = std::find(arguments.begin(), arguments.end(), "--help") != arguments.end();
  return help && !world.is_root() ? CommandAction::kHelp : parse_command(name, arguments, schema);
}

ExitCode train(const Arguments& arguments, Communicator& world) {
  TrainConfig config;
  const CommandAction action = read_command(
      {"hepar", "train", "train a segmentation or staging network, or continue an interrupted run"},
      arguments, config, world);
  return action == CommandAction::kHelp
             ? ExitCode::kDone
             : run_train_command(config, action == CommandAction::kDryRun, world);
}

ExitCode predict(const Arguments& arguments, Communicator& world) {
  PredictConfig config;
  const CommandAction action =
      read_command({"hepar", "predict", "segment NIfTI files or a cohort with trained models"},
                   arguments, config, world);
  if (action != CommandAction::kHelp) {
    run_predict_command(config, action == CommandAction::kDryRun, world);
  }
  return ExitCode::kDone;
}

ExitCode choose(const Arguments& arguments, Communicator& world) {
  ChooseConfig config;
  const CommandAction action = read_command(
      {"hepar", "choose", "find the best of several trained configurations, or the best two"},
      arguments, config, world);
  if (action != CommandAction::kHelp) {
    run_choose_command(config, action == CommandAction::kDryRun, world);
  }
  return ExitCode::kDone;
}

ExitCode pseudo_label(const Arguments& arguments, Communicator& world) {
  PseudoLabelConfig config;
  const CommandAction action = read_command(
      {"hepar", "pseudo-label", "masks of trained models for a cohort's unlabelled images"},
      arguments, config, world);
  if (action != CommandAction::kHelp) {
    run_pseudo_label_command(config, action == CommandAction::kDryRun, world);
  }
  return ExitCode::kDone;
}

ExitCode voi(const Arguments& arguments, Communicator& world) {
  VoiConfig config;
  const CommandAction action =
      read_command({"hepar", "voi", "the liver's volume of interest in every sequence of a cohort"},
                   arguments, config, world);
  if (action != CommandAction::kHelp) {
    run_voi_command(config, action == CommandAction::kDryRun, world);
  }
  return ExitCode::kDone;
}

ExitCode classify(const Arguments& arguments, Communicator& world) {
  ClassifyConfig config;
  const CommandAction action = read_command(
      {"hepar", "classify", "fibrosis scores of volumes of interest by trained staging networks"},
      arguments, config, world);
  if (action != CommandAction::kHelp) {
    run_classify_command(config, action == CommandAction::kDryRun, world);
  }
  return ExitCode::kDone;
}

ExitCode run_trials(const Arguments& arguments, Communicator& world) {
  RunExperimentConfig config;
  const Arguments words = take_overrides(arguments, config);
  const CommandAction action = read_command(
      {"hepar", "run", "do what is not done of an experiment: hepar run EXPERIMENT.yaml"}, words,
      config, world);
  return action == CommandAction::kHelp
             ? ExitCode::kDone
             : run_experiment(config, action == CommandAction::kDryRun, world);
}

using Command = ExitCode (*)(const Arguments&, Communicator&);
const std::map<std::string, Command> kCommands{
    {"train", train},   {"predict", predict},   {"pseudo-label", pseudo_label},
    {"voi", voi},       {"classify", classify}, {"choose", choose},
    {"run", run_trials}};

int run_command(Arguments arguments, Communicator& world) {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : kCommands) {
    names.push_back(name);
  }
  require<ConfigError>(!arguments.empty(), "hepar-engine: wanted a command: " + join(names, " | "));
  const std::string name = arguments.front();
  arguments.erase(arguments.begin());
  const auto command = kCommands.find(name);
  require<ConfigError>(command != kCommands.end(),
                       "hepar-engine: unknown command '" + name + "'; known: " + join(names, ", "));
  return static_cast<int>(command->second(arguments, world));
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
