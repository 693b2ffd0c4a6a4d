#include "hepar/pipeline/run_command.h"

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include "experiment/progress_of.h"
#include "experiment/runner.h"
#include "experiment/selection.h"
#include "experiment/usage.h"
#include "hepar/comm/together.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/bracket.h"
#include "hepar/pipeline/report.h"
#include "hepar/pipeline/status_command.h"
#include "hepar/train/lease.h"
#include "hepar/train/stop_signal.h"

namespace hepar {
namespace {

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_trials(const Experiment& experiment, const fs::path& folder) {
  std::map<std::string, std::string> names;
  TrialStates states;
  if (fs::exists(folder / "trials.json")) {
    states = TrialStore(folder).states();
  }
  std::vector<std::vector<std::string>> rows{{"trial", "stage", "command", "state", "keys"}};
  for (const Trial& trial : experiment.trials) {
    names[trial.id] = trial.stage;
    std::vector<std::string> keys;
    for (const auto& [key, value] : trial.config.items()) {
      keys.push_back(key + "=" + text_of(value));
    }
    std::string text = join(keys, " ");
    for (const std::string& input : trial.inputs) {
      for (std::size_t at = 0; (at = text.find("@{" + input + "}")) != std::string::npos;) {
        text.replace(at, input.size() + 3, "${" + names[input] + "}");
      }
    }
    const auto state = states.find(trial.id);
    rows.push_back({trial.id, detail::label(trial), trial.command,
                    state == states.end() ? "new" : to_string(state->second), text});
  }
  log::print(format_table(rows) + "\n" + std::to_string(experiment.trials.size()) +
             " trials; nothing was run or written");
}

/// Tells the other groups, and the next run, of an announced stop as soon as the signal is there: a
/// command that does not look for it may be killed before it ends. A time limit that comes near is
/// such a signal too.
std::jthread watch_for_stop(const TrialStore& store, const TimeLimit& limit) {
  return std::jthread([&store, limit](const std::stop_token& end) {
    while (!end.stop_requested()) {
      if (limit.over(TimeLimit::Clock::now())) {
        std::raise(SIGUSR2);
      }
      if (StopSignal::by_usr2()) {
        try {
          store.request_stop(true);
        } catch (const std::exception& e) {  // left alone it would end the process (SIGABRT)
          log::warn(std::string("the stop cannot be announced: ") + e.what());
        }
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
}

std::map<std::string, double> measured_costs(const Experiment& experiment,
                                             const TrialStore& store) {
  std::map<std::string, double> costs;
  const TrialStates states = store.states();
  for (const Trial& trial : experiment.trials) {
    const auto state = states.find(trial.id);
    if (state != states.end() && state->second == TrialState::kDone) {
      if (const auto outcome = store.outcome(trial.id)) {
        costs[trial.id] = outcome->cost.wall_s;
      }
    }
  }
  return costs;
}

class ExperimentRun {
 public:
  ExperimentRun(const RunExperimentConfig& config, Experiment experiment, Communicator& world)
      : config_(config),
        experiment_(std::move(experiment)),
        world_(world),
        ids_(config.trials.empty() ? std::vector<std::string>()
                                   : detail::selected_trials(config.trials, experiment_)),
        own_(ids_.empty() ? experiment_ : detail::part_of(experiment_, ids_)),
        store_(config.folder(experiment_), ids_.empty() ? "" : ids_.front()),
        ranks_per_trial_(config.ranks_per_trial == 0 ? world.size()
                                                     : static_cast<int>(config.ranks_per_trial)) {}

  ExitCode run() {
    const StopSignal signals;
    find_limit();
    open();
    const Schedule schedule(own_, costs());
    run_groups(schedule);
    return finish(schedule);
  }

 private:
  /// Rank 0 alone looks at what is there.
  void open() {
    together(world_, [&] {
      require<ConfigError>(
          ranks_per_trial_ <= world_.size() && world_.size() % ranks_per_trial_ == 0,
          "ranks_per_trial: " + std::to_string(world_.size()) +
              " ranks do not divide into groups of " + std::to_string(ranks_per_trial_));
      if (world_.is_root()) {
        if (ids_.empty()) {
          open_all();
        } else {
          open_part();
        }
        log::info("experiment " + experiment_.name + ": " + std::to_string(own_.trials.size()) +
                  " trials in " + store_.folder().string() + ", " +
                  std::to_string(world_.size() / ranks_per_trial_) + " group(s) of " +
                  std::to_string(ranks_per_trial_) + " rank(s)" +
                  (limit_.exists() ? ", until " + limit_.text() : ""));
      }
    });
  }

  /// Rank 0 asks, once.
  void find_limit() {
    std::array<std::int64_t, 1> end{0};
    together(world_, [&] {
      if (world_.is_root()) {
        end[0] = time_limit(config_.limit).epoch_s();
      }
    });
    world_.all_reduce(end, ReduceOp::kMax);
    if (end[0] > 0) {
      limit_ = TimeLimit(TimeLimit::Clock::from_time_t(end[0]), config_.limit.margin_s);
    }
  }

  /// Under the experiment's lease: one such run at a time.
  void open_all() {
    make_writable_directory(store_.folder());
    lease_ = std::make_unique<Lease>(store_.folder());
    store_.open(experiment_, config_.accept_changes);
    recover();
    if (stops_early()) {
      open_decisions(
          experiment_, store_,
          {.accept_changes = config_.accept_changes, .retry_failed = config_.retry_failed});
    }
    store_.plan(experiment_, config_.retry_failed);
  }

  /// Trials that are named run whatever is decided.
  [[nodiscard]] bool stops_early() const {
    return ids_.empty() && experiment_.sweep && experiment_.sweep->stops_early();
  }

  /// Each trial's own lease keeps such runs apart.
  void open_part() {
    if (!config_.planned_already()) {
      store_.open(experiment_, config_.accept_changes);
    }
    detail::check_inputs_done(experiment_, own_, store_, config_.inputs_wait_s);
    recover();
    store_.plan(own_, config_.retry_failed);
  }

  void recover() {
    for (const std::string& line : detail::recover_dead(own_, store_)) {
      log::warn("trial " + line);
    }
    store_.forget_stop();
  }

  /// A file for each trial that is done: one rank reads them.
  std::map<std::string, double> costs() {
    Json read = Json::object();
    together(world_, [&] {
      if (world_.is_root()) {
        read = measured_costs(own_, store_);
      }
    });
    return Json::parse(world_.broadcast(read.dump(), 0)).get<std::map<std::string, double>>();
  }

  void run_groups(const Schedule& schedule) {
    detail::share_processors(world_, ranks_per_trial_);
    const int number = world_.rank() / ranks_per_trial_;
    Communicator group = world_.split(number);
    const std::jthread watch = group.is_root() ? watch_for_stop(store_, limit_) : std::jthread();
    // Each group's root speaks for it.
    log::set_rank(group.rank(), group.size());
    std::optional<Bracket> bracket;
    if (stops_early() && group.is_root()) {  // who speaks for the group decides
      bracket.emplace(experiment_, store_);
    }
    detail::GroupRunner runner({experiment_, own_, schedule, bracket ? &*bracket : nullptr, limit_},
                               store_,
                               {.group = number, .groups = world_.size() / ranks_per_trial_});
    runner.run(group);
    out_of_time_ = runner.out_of_time();
    log::set_rank(world_.rank(), world_.size());
  }

  ExitCode finish(const Schedule& schedule) {
    world_.barrier();
    std::array<std::int64_t, 1> stopped{StopSignal::requested() || out_of_time_ ? 1 : 0};
    world_.all_reduce(stopped, ReduceOp::kMax);
    std::array<std::int64_t, 1> code{0};
    together(world_, [&] {
      if (world_.is_root()) {
        code[0] = static_cast<std::int64_t>(conclude(schedule, stopped[0] != 0));
        // mpirun's own exit code is not always its ranks': launchers read this one.
        const fs::path folder = ids_.empty() ? store_.folder() : store_.trial_folder(ids_.front());
        write_json(folder / (ids_.empty() ? "outcome.json" : "run.json"), {{"exit_code", code[0]}});
      }
    });
    world_.all_reduce(code, ReduceOp::kMax);
    return static_cast<ExitCode>(code[0]);
  }

  ExitCode conclude(const Schedule& schedule, bool stopped) {
    const TrialStates states = store_.states();
    const auto blocked = schedule.blocked(states);
    const std::set<std::string> left_out = stopped_by_rungs(states, blocked);
    std::map<TrialState, std::size_t> count;
    std::size_t wanted = 0, held_up = 0;
    for (const Trial& trial : own_.trials) {
      const TrialState state = states.at(trial.id);
      const bool asked = state == TrialState::kDone || !left_out.contains(trial.id);
      ++count[state];
      wanted += asked ? 1 : 0;
      held_up += asked && blocked.contains(trial.id) ? 1 : 0;
    }
    if (ids_.empty()) {
      log::print(status_text(store_.folder()));
    }
    const bool all_done = count[TrialState::kDone] == wanted;
    if (!all_done && stopped) {
      log::info(out_of_time_ ? "stopped: nothing that is left ends before " + limit_.text() +
                                   "; the same command continues"
                             : "stopped on request: the same command continues");
      return ExitCode::kResumable;
    }
    if (ids_.empty()) {
      log::print(write_report_files(store_.folder()));
    }
    if (!all_done) {
      log::error(std::to_string(count[TrialState::kFailed]) + " trial(s) failed, " +
                 std::to_string(held_up) + " blocked by them; --retry-failed runs them again");
    }
    return all_done ? ExitCode::kDone : ExitCode::kFailure;
  }

  /// Trials of configurations that do not go on.
  [[nodiscard]] std::set<std::string> stopped_by_rungs(
      const TrialStates& states, const std::map<std::string, std::string>& blocked) const {
    if (!stops_early()) {
      return {};
    }
    Bracket bracket(experiment_, store_);
    // Two groups that logged in the same instant may have left one rung out of the log.
    (void)bracket.decide({states, blocked});
    return bracket.stopped();
  }

  const RunExperimentConfig& config_;
  Experiment experiment_;
  Communicator& world_;
  std::vector<std::string> ids_;  ///< of --trials; empty: all
  Experiment own_;                ///< the trials to run
  TrialStore store_;
  int ranks_per_trial_;
  TimeLimit limit_;
  bool out_of_time_ = false;  ///< this rank's group
  std::unique_ptr<Lease> lease_;
};

}  // namespace

void RunExperimentConfig::declare(ConfigSchema& schema) {
  ExperimentChoice::declare(schema);
  schema.add("ranks_per_trial", ranks_per_trial,
             "Ranks that work on one trial; 0: all. Fewer: groups run trials side by side",
             Range{.low = 0}, Effect::kNone);
  schema.add("trials", trials,
             "Only these trials: ID,ID,… or @FILE with an id a line. Other runs may work beside",
             {}, Effect::kNone);
  schema.add("inputs_wait_s", inputs_wait_s,
             "Seconds to wait for what --trials read, on file systems that show it late",
             Range{.low = 0}, Effect::kNone);
  limit.declare(schema);
  schema.add("json", json, "With --dry-run: what trials.json would hold", {}, Effect::kNone);
}

ExitCode run_experiment(const RunExperimentConfig& config, bool dry_run, Communicator& world) {
  std::string text;
  together(world, [&] {
    if (world.is_root()) {
      // One rank looks at the inputs.
      const Experiment read = config.read("run", [&] {
        return expand_experiment(config.experiment, config.overrides, stage_kinds());
      });
      if (!config.trials.empty()) {
        (void)detail::selected_trials(config.trials, read);
      }
      text = to_json(read).dump();
    }
  });
  Experiment experiment =
      experiment_from_json(Json::parse(world.broadcast(text, 0)), config.experiment);
  if (dry_run) {
    if (world.is_root() && config.json) {
      log::print(to_json(experiment).dump());
    } else if (world.is_root()) {
      print_trials(experiment, config.folder(experiment));
    }
    return ExitCode::kDone;
  }
  return ExperimentRun(config, std::move(experiment), world).run();
}

}  // namespace hepar
