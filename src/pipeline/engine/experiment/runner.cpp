#include "experiment/runner.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "experiment/progress_of.h"
#include "experiment/run_trial.h"
#include "hepar/comm/together.h"
#include "hepar/core/log.h"
#include "hepar/train/stop_signal.h"

namespace hepar::detail {
namespace {

constexpr auto kPause = std::chrono::milliseconds(50);

}  // namespace

GroupRunner::GroupRunner(const Experiment& experiment, const TrialStore& store,
                         const Schedule& schedule, Place place)
    : experiment_(experiment), store_(store), schedule_(schedule), place_(place) {}

bool GroupRunner::suspect_runs() const {
  const TrialStates states = store_.states();
  return std::any_of(states.begin(), states.end(), [&](const auto& entry) {
    return entry.second == TrialState::kRunning && store_.deaths(entry.first) > 0;
  });
}

bool GroupRunner::somebody_else_runs(const std::string& id) const {
  const TrialStates states = store_.states();
  return std::any_of(states.begin(), states.end(), [&](const auto& entry) {
    return entry.second == TrialState::kRunning && entry.first != id;
  });
}

/// A suspect must run alone, and two groups may take trials in the same instant: who takes one
/// looks again afterwards and gives it back when the other was not yet to be seen before.
GroupRunner::Decision GroupRunner::claim() const {
  const NextStep next = schedule_.next(store_.states(), place_.group == 0);
  if (next.kind == NextStep::Kind::kFinish) {
    return {.action = "finish", .id = ""};
  }
  if (next.kind == NextStep::Kind::kRunAlone) {
    const std::string& id = next.candidates.front();
    if (store_.move(id, TrialState::kSuspect, TrialState::kRunning)) {
      if (!somebody_else_runs(id)) {
        return {.action = "run", .id = id};
      }
      (void)store_.move(id, TrialState::kRunning, TrialState::kSuspect);
    }
  }
  if (next.kind == NextStep::Kind::kRun && !suspect_runs()) {
    for (const std::string& id : next.candidates) {
      if (store_.move(id, TrialState::kPlanned, TrialState::kRunning)) {
        if (!suspect_runs()) {
          return {.action = "run", .id = id};
        }
        (void)store_.move(id, TrialState::kRunning, TrialState::kPlanned);
        break;
      }
    }
  }
  return {.action = "wait", .id = ""};
}

GroupRunner::Decision GroupRunner::decide(Communicator& group) {
  std::array<std::int64_t, 1> stop{StopSignal::requested() ? 1 : 0};
  group.all_reduce(stop, ReduceOp::kMax);
  Decision decision;
  together(group, [&] {
    if (group.is_root()) {
      const bool asked = stop[0] != 0 || store_.stop_requested();
      if (asked) {
        store_.request_stop(StopSignal::by_usr2());
      }
      decision = asked ? Decision{.action = "stop", .id = ""} : claim();
    }
  });
  decision.action = group.broadcast(decision.action, 0);
  decision.id = group.broadcast(decision.id, 0);
  return decision;
}

void GroupRunner::say(const std::string& text) const {
  log::info((place_.groups > 1 ? "[group " + std::to_string(place_.group) + "] " : "") + text);
}

void GroupRunner::run_one(const std::string& id, Communicator& group) {
  const Trial& trial = experiment_.trial(id);
  const std::string name = label(trial) + ", " + id;
  say("run  " + name + ", expected " + duration_text(schedule_.expected_s(id)));
  const TrialEnd end = run_trial(trial, experiment_, store_, group);
  if (end.kind == TrialEnd::Kind::kDone) {
    say("done " + name + " in " + duration_text(end.wall_s));
  } else if (end.kind == TrialEnd::Kind::kStopped) {
    say("stopped " + name + " after " + duration_text(end.wall_s) + "; run again to continue");
  } else {
    say("FAILED " + name + ": " + end.message +
        "\n  log: " + (store_.trial_folder(id) / "log.txt").string());
  }
}

void GroupRunner::run(Communicator& group) {
  while (true) {
    const Decision decision = decide(group);
    if (decision.action == "finish" || decision.action == "stop") {
      return;
    }
    if (decision.action == "run") {
      run_one(decision.id, group);
    } else {
      std::this_thread::sleep_for(kPause);
    }
  }
}

}  // namespace hepar::detail
