#include "experiment/run_trial.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>

#include "experiment/stage_settings.h"
#include "experiment/stages.h"
#include "experiment/trial_log.h"
#include "experiment/usage.h"
#include "hepar/comm/together.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"

namespace hepar::detail {
namespace {

/// A command's configuration filled with a trial's settings, and what keeps it alive.
struct Configured {
  ConfigSchema schema;
  std::shared_ptr<void> config;
};

/// Texts of a value with those that name something in the file system made absolute.
Json with_absolute_paths(const Json& value) {
  if (value.is_array()) {
    Json items = Json::array();
    for (const Json& item : value) {
      items.push_back(with_absolute_paths(item));
    }
    return items;
  }
  const auto text = value.get<std::string>();
  const bool path = text.find('/') != std::string::npos && fs::exists(text);
  return path ? Json(fs::absolute(text).lexically_normal().string()) : value;
}

void configure(const Trial& trial, const Experiment& experiment, const TrialStore& store,
               Configured& configured) {
  configured.config = engine_stage(trial.command).kind.declare(configured.schema);
  for (const auto& [key, value] : trial.config.items()) {
    // Absolute: the trial's command can then be typed anywhere.
    const Json resolved = with_absolute_paths(replace_tokens(
        value, [&](const std::string& id) { return store.output(experiment.trial(id)).string(); }));
    const std::string problem =
        apply({key, resolved, "trial " + trial.id}, trial.command, configured.schema);
    require<ConfigError>(problem.empty(), problem);
  }
  configured.schema.set("out=" + fs::absolute(store.output(trial)).string());
}

/// Outputs of other trials are read only as they were when those were done.
void check_inputs(const Trial& trial, const Experiment& experiment, const TrialStore& store) {
  std::vector<std::string> problems;
  for (const std::string& id : trial.inputs) {
    const std::vector<std::string> changed = store.changed_outputs(experiment.trial(id));
    if (!changed.empty()) {
      problems.push_back("what trial " + id + " (" + experiment.trial(id).stage +
                         ") wrote has changed since it was done: " + changed.front() +
                         (changed.size() > 1 ? " and more" : "") + "; remove " +
                         store.trial_folder(id).string() + " and run again to redo it");
    }
  }
  require<DataError>(problems.empty(), join(problems, "\n"));
}

void remove_left_overs(const Trial& trial, const TrialStore& store) {
  fs::path partial = store.output(trial);
  fs::remove_all(partial);
  partial += ".partial";
  fs::remove_all(partial);
}

/// The group's root prepares the folder, checks what is read, and leaves what explains the trial.
void prepare_folder(const Trial& trial, const Experiment& experiment, const TrialStore& store,
                    const Configured& configured, int ranks) {
  const fs::path folder = store.trial_folder(trial.id);
  fs::create_directories(folder);
  write_atomically(folder / "config.yaml", configured.schema.to_yaml());
  write_atomically(folder / "command.txt", command_line(trial, store, ranks) + "\n");
  check_inputs(trial, experiment, store);
  if (engine_stage(trial.command).fresh) {
    remove_left_overs(trial, store);
  }
}

/// Work of the root alone: the others sleep instead of spinning in a collective, for it has the
/// processors to itself.
ExitCode run_on_root(const EngineStage& stage, void* config, Communicator& group) {
  std::array<std::int64_t, 1> finished{0};
  std::string problem;
  ExitCode code = ExitCode::kDone;
  if (group.is_root()) {
    try {
      stage.run(config, group);
    } catch (const Error& e) {
      problem = e.what();
      code = e.code();
    } catch (const std::exception& e) {
      problem = e.what();
      code = ExitCode::kFailure;
    }
  }
  group.start_all_reduce(finished, ReduceOp::kMax).wait_idly();
  group.agree(problem, static_cast<int>(code));
  return ExitCode::kDone;
}

ExitCode work(const Trial& trial, const Experiment& experiment, const TrialStore& store,
              Communicator& group) {
  Configured configured;
  together(group, [&] {
    configure(trial, experiment, store, configured);
    if (group.is_root()) {
      prepare_folder(trial, experiment, store, configured, group.size());
    }
  });
  const EngineStage& stage = engine_stage(trial.command);
  return stage.on_root_only ? run_on_root(stage, configured.config.get(), group)
                            : stage.run(configured.config.get(), group);
}

struct Attempt {
  ExitCode code = ExitCode::kDone;
  std::string message;
};

/// An error becomes the attempt's result where every rank of the group has it.
Attempt attempt(const Trial& trial, const Experiment& experiment, const TrialStore& store,
                Communicator& group) {
  const auto alone = [&](const std::string& message, ExitCode code) -> Attempt {
    log::error(message);
    if (group.size() > 1) {
      throw;  // NOLINT: called in a handler only
    }
    return {code, message};
  };
  try {
    return {work(trial, experiment, store, group), ""};
  } catch (const AgreedError& e) {
    if (group.is_root()) {
      log::error(e.what());
    }
    return {e.code(), e.what()};
  } catch (const Error& e) {
    return alone(e.what(), e.code());
  } catch (const c10::Error& e) {
    return alone(e.what_without_backtrace(), ExitCode::kFailure);
  } catch (const std::exception& e) {
    return alone(e.what(), ExitCode::kFailure);
  }
}

TrialState state_after(ExitCode code) {
  return code == ExitCode::kDone        ? TrialState::kDone
         : code == ExitCode::kResumable ? TrialState::kPlanned
                                        : TrialState::kFailed;
}

/// Writes outcome.json, and only then renames: `done` means that the record is there.
void conclude(const Trial& trial, const TrialStore& store, TrialOutcome& outcome, Attempt& end) {
  if (end.code == ExitCode::kDone) {
    store.record_outputs(trial, outcome);
  }
  outcome.done = end.code == ExitCode::kDone;
  outcome.exit_code = static_cast<int>(end.code);
  outcome.message = end.message;
  outcome.code_version = version();
  if (end.code != ExitCode::kResumable) {
    store.write_outcome(trial.id, outcome);
  }
}

TrialEnd end_of(const Attempt& end, double wall_s) {
  const TrialEnd::Kind kind = end.code == ExitCode::kDone        ? TrialEnd::Kind::kDone
                              : end.code == ExitCode::kResumable ? TrialEnd::Kind::kStopped
                                                                 : TrialEnd::Kind::kFailed;
  return {.kind = kind, .message = end.message, .wall_s = wall_s};
}

}  // namespace

std::string command_line(const Trial& trial, const TrialStore& store, int ranks) {
  const std::string config =
      fs::absolute(store.trial_folder(trial.id) / "config.yaml").lexically_normal().string();
  const bool alone = ranks == 1 || engine_stage(trial.command).on_root_only;
  return (alone ? "" : "mpirun -n " + std::to_string(ranks) + " ") + "hepar " + trial.command +
         " --config " + config;
}

TrialEnd run_trial(const Trial& trial, const Experiment& experiment, const TrialStore& store,
                   Communicator& group, const Lease* lease) {
  const Usage usage;
  Attempt end;
  {
    const TrialLog log(store.trial_folder(trial.id) / "log.txt");
    end = attempt(trial, experiment, store, group);
  }
  TrialOutcome outcome{
      .started = usage.started(), .host = group.host(), .cost = usage.finish(group)};
  if (group.is_root()) {
    lease->check();
    try {
      conclude(trial, store, outcome, end);
    } catch (const Error& e) {
      end = {e.code(), e.what()};
      conclude(trial, store, outcome, end);
    }
    require(store.move(trial.id, TrialState::kRunning, state_after(end.code)),
            "trial " + trial.id + " is no longer in state/running: another run works here too");
  }
  return end_of(end, outcome.cost.wall_s);
}

}  // namespace hepar::detail
