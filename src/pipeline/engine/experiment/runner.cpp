#include "experiment/runner.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "experiment/progress_of.h"
#include "experiment/run_trial.h"
#include "experiment/selection.h"
#include "hepar/comm/together.h"
#include "hepar/core/log.h"
#include "hepar/train/stop_signal.h"

namespace hepar::detail {
namespace {

constexpr auto kPause = std::chrono::milliseconds(50);
constexpr auto kLookEvery = std::chrono::seconds(20);

/// Not every command asks for leave before it writes: a group whose trial has a successor ends.
void leave_to_successor() {
  log::error("another run has taken over this trial; this one ends");
  std::_Exit(static_cast<int>(ExitCode::kCommunication));
}

}  // namespace

GroupRunner::GroupRunner(Work work, const TrialStore& store, Place place)
    : work_(work), store_(store), place_(place) {}

bool GroupRunner::any_running(const std::function<bool(const std::string& id)>& which) const {
  const TrialStates states = store_.states();
  return std::any_of(work_.own.trials.begin(), work_.own.trials.end(), [&](const Trial& trial) {
    const auto state = states.find(trial.id);
    return state != states.end() && state->second == TrialState::kRunning && which(trial.id);
  });
}

bool GroupRunner::suspect_runs() const {
  return any_running([&](const std::string& id) { return store_.deaths(id) > 0; });
}

bool GroupRunner::somebody_else_runs(const std::string& id) const {
  return any_running([&](const std::string& other) { return other != id; });
}

/// Whoever holds a candidate's lease is about to move it: other candidates come first. One that
/// stays a candidate was left by a process on another host that only its silence tells from a
/// living one, and that is waited for.
bool GroupRunner::take(const std::string& id, TrialState from) {
  const auto now = std::chrono::steady_clock::now();
  const auto held = held_.find(id);
  const bool left = held != held_.end() && now - held->second > kLookEvery;
  try {
    lease_ = std::make_unique<Lease>(store_.trial_folder(id), kHeartbeatS, leave_to_successor,
                                     left ? IfHeld::kWait : IfHeld::kRefuse);
  } catch (const CommError&) {
    if (left || held == held_.end()) {
      held_[id] = now;
    }
    return false;
  }
  held_.erase(id);
  if (store_.move(id, from, TrialState::kRunning)) {
    return true;
  }
  lease_.reset();
  return false;
}

/// The first trial of a run is started in any case: one that takes longer than every time limit
/// would never be.
std::vector<std::string> GroupRunner::in_time(std::vector<std::string> candidates) const {
  const auto now = TimeLimit::Clock::now();
  std::erase_if(candidates, [&](const std::string& id) {
    const bool saves = work_.experiment.trial(id).steps > 0;  // a training
    return begun_ && !saves && !work_.limit.fits(work_.schedule.expected_s(id), now);
  });
  return candidates;
}

std::string GroupRunner::take_one_of(std::vector<std::string> candidates) {
  std::erase_if(held_, [&](const auto& entry) {
    return std::find(candidates.begin(), candidates.end(), entry.first) == candidates.end();
  });
  if (!begun_) {
    // All groups begin at once, each at another of the first candidates.
    const auto first = std::min<std::ptrdiff_t>(place_.group, std::ssize(candidates) - 1);
    std::rotate(candidates.begin(), candidates.begin() + first, candidates.begin() + first + 1);
  }
  const auto taken = std::find_if(candidates.begin(), candidates.end(), [&](const std::string& id) {
    return take(id, TrialState::kPlanned);
  });
  begun_ = begun_ || taken != candidates.end();
  return taken == candidates.end() ? "" : *taken;
}

void GroupRunner::give_back(const std::string& id, TrialState to) {
  (void)store_.move(id, TrialState::kRunning, to);
  lease_.reset();
}

void GroupRunner::look_after_others() {
  const auto now = std::chrono::steady_clock::now();
  if (place_.group == 0 && now - looked_ > kLookEvery) {
    for (const std::string& line : recover_dead(work_.own, store_)) {
      log::warn("trial " + line);
    }
    looked_ = std::chrono::steady_clock::now();
  }
}

NextStep GroupRunner::next_step() {
  const TrialStates states = store_.states();
  const bool takes_suspects = place_.group == 0;
  if (work_.bracket == nullptr) {
    return work_.schedule.next(states, takes_suspects);
  }
  const auto blocked = work_.schedule.blocked(states);
  for (const std::string& line : work_.bracket->decide({states, blocked})) {
    say(line);
  }
  return work_.schedule.next(states, takes_suspects, work_.bracket->closed());
}

/// A suspect must run alone, and two groups may take trials in the same instant: who takes one
/// looks again afterwards and gives it back when the other was not yet to be seen before.
GroupRunner::Decision GroupRunner::claim() {
  const NextStep next = next_step();
  if (next.kind == NextStep::Kind::kFinish) {
    return {.action = "finish", .id = ""};
  }
  if (next.kind == NextStep::Kind::kRunAlone) {
    const std::string& id = next.candidates.front();
    if (take(id, TrialState::kSuspect)) {
      if (!somebody_else_runs(id)) {
        return {.action = "run", .id = id};
      }
      give_back(id, TrialState::kSuspect);
    }
  }
  if (next.kind == NextStep::Kind::kRun && !suspect_runs()) {
    const std::vector<std::string> candidates = in_time(next.candidates);
    if (candidates.empty() && !any_running([](const std::string&) { return true; })) {
      return {.action = "late", .id = ""};
    }
    const std::string id = take_one_of(candidates);
    if (!id.empty() && !suspect_runs()) {
      return {.action = "run", .id = id};
    }
    if (!id.empty()) {
      give_back(id, TrialState::kPlanned);
    }
  }
  if (next.kind == NextStep::Kind::kWait) {
    look_after_others();
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
  const Trial& trial = work_.experiment.trial(id);
  const std::string name = label(trial) + ", " + id;
  say("run  " + name + ", expected " + duration_text(work_.schedule.expected_s(id)));
  const TrialEnd end = run_trial(trial, work_.experiment, store_, group, lease_.get());
  lease_.reset();
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
    out_of_time_ = decision.action == "late";
    if (out_of_time_ || decision.action == "finish" || decision.action == "stop") {
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
