#include <algorithm>
#include <array>
#include <exception>
#include <string>
#include <vector>

#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/pipeline/evaluate.h"
#include "hepar/pipeline/plan_command.h"
#include "hepar/pipeline/plan_run_command.h"
#include "hepar/pipeline/postprocess.h"
#include "hepar/pipeline/report.h"
#include "hepar/pipeline/score_command.h"
#include "hepar/pipeline/status_command.h"
#include "hepar/pipeline/submission.h"
#include "hepar/pipeline/submit_command.h"
#include "programs.h"

namespace hepar {
namespace {

using Arguments = std::vector<std::string>;

template <class Config>
void front_command(const CommandName& name, const Arguments& arguments,
                   void (*run)(const Config&, bool dry_run), Config config = {}) {
  ConfigSchema schema;
  config.declare(schema);
  const CommandAction action = parse_command(name, arguments, schema);
  if (action != CommandAction::kHelp) {
    run(config, action == CommandAction::kDryRun);
  }
}

void submit(const CommandName& name, const Arguments& arguments) {
  SubmitConfig config;
  const Arguments words = take_overrides(arguments, config.overrides);
  front_command(name, words, run_submit_command, config);
}

void plan_run(const CommandName& name, const Arguments& arguments) {
  PlanRunConfig config;
  const Arguments words = take_overrides(arguments, config.overrides);
  front_command(name, words, run_plan_run_command, config);
}

struct Command {
  const char* name;
  const char* program;  ///< the sister that runs it; empty: this program
  const char* summary;
};

constexpr auto kCommands = std::to_array<Command>({
    {"phantom", "hepar-prep", "write a synthetic cohort as files, or audit it"},
    {"convert", "hepar-prep", "files of a source -> cohort shards"},
    {"verify", "hepar-prep", "read a cohort or prepared set again and compare every hash"},
    {"inspect", "hepar-prep", "what is in a NIfTI file, a cohort or a prepared set"},
    {"export", "hepar-prep", "a cohort or prepared set back to NIfTI"},
    {"plan", "", "spacing, patch, batch and network for a cohort, each with its reason"},
    {"prepare", "hepar-prep", "crop, normalise and resample a cohort by a plan"},
    {"train", "hepar-engine",
     "train a segmentation or staging network, or continue an interrupted run"},
    {"predict", "hepar-engine", "segment NIfTI files or a cohort with trained models"},
    {"pseudo-label", "hepar-engine", "masks of trained models for a cohort's unlabelled images"},
    {"voi", "hepar-engine", "the liver's volume of interest in every sequence of a cohort"},
    {"classify", "hepar-engine", "fibrosis scores of volumes of interest by staging networks"},
    {"postprocess", "", "fit nnU-Net's component rule on out-of-fold masks"},
    {"choose", "hepar-engine", "the best of several trained configurations, or the best two"},
    {"evaluate", "", "DSC and surface distances of predicted masks"},
    {"score", "", "AUC, accuracy, calibration and intervals of staging scores; compares heads"},
    {"submission", "", "the staging file of a CARE challenge: write it or check it"},
    {"plan-run", "", "what an experiment would take: time, core- and GPU-hours, files, queue jobs"},
    {"run", "hepar-engine", "do what is not done of an experiment"},
    {"submit", "", "the same through Slurm: job arrays for what is missing"},
    {"status", "", "what of an experiment is done, runs, waits or failed"},
    {"doctor", "hepar-engine", "check a node or an allocation: ranks, MPI, GPUs, files, clocks"},
    {"report", "", "tables, curves, costs and commands of an experiment"},
});

void print_overview() {
  std::vector<std::vector<std::string>> rows{{"command", "what it does"}};
  for (const Command& command : kCommands) {
    rows.push_back({command.name, command.summary});
  }
  log::print("hepar " + version() +
             ": from a cohort of liver MRI on disk to the tables of a paper\n\n" +
             format_table(rows) + "\nhepar COMMAND --help shows a command's flags and keys.");
}

const Command& find_command(const std::string& name) {
  const auto* found = std::find_if(kCommands.begin(), kCommands.end(),
                                   [&](const Command& command) { return name == command.name; });
  if (found == kCommands.end()) {
    std::vector<std::string> names;
    std::transform(kCommands.begin(), kCommands.end(), std::back_inserter(names),
                   [](const Command& command) { return command.name; });
    const std::string suggestion = nearest(name, names);
    throw ConfigError(
        "hepar: unknown command '" + name + "'" +
        (suggestion.empty() ? "; see hepar --help" : "; did you mean '" + suggestion + "'?"));
  }
  return *found;
}

void run(Arguments arguments) {
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h" ||
      arguments.front() == "help") {
    print_overview();
    return;
  }
  if (arguments.front() == "--version") {
    log::print("hepar " + version());
    return;
  }
  const Command& command = find_command(arguments.front());
  if (!std::string(command.program).empty()) {
    become(command.program, arguments);
  }
  arguments.erase(arguments.begin());
  const CommandName name{"hepar", command.name, command.summary};
  if ((name.command == "status" || name.command == "report") && !arguments.empty() &&
      !arguments.front().starts_with("-")) {
    arguments.insert(arguments.begin(), "--experiment");  // `status EXP`
  }
  if (name.command == "status") {
    front_command<StatusConfig>(name, arguments, run_status_command);
  } else if (name.command == "submit") {
    submit(name, arguments);
  } else if (name.command == "plan-run") {
    plan_run(name, arguments);
  } else if (name.command == "report") {
    front_command<ReportConfig>(name, arguments, run_report_command);
  } else if (name.command == "plan") {
    front_command<PlanCommandConfig>(name, arguments, run_plan_command);
  } else if (name.command == "postprocess") {
    front_command<PostprocessConfig>(name, arguments, postprocess);
  } else if (name.command == "score") {
    front_command<ScoreConfig>(name, arguments, run_score_command);
  } else if (name.command == "submission") {
    front_command<SubmissionConfig>(name, arguments, run_submission_command);
  } else {
    front_command<EvaluateConfig>(name, arguments, evaluate);
  }
}

}  // namespace
}  // namespace hepar

int main(int argc, char** argv) {
  try {
    hepar::run({argv + 1, argv + argc});
    return static_cast<int>(hepar::ExitCode::kDone);
  } catch (const hepar::Error& e) {
    hepar::log::error(e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    hepar::log::error(e.what());
    return static_cast<int>(hepar::ExitCode::kFailure);
  }
}
