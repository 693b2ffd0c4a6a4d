#pragma once
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>

#include <string>
#include <vector>

namespace hepar::test {

/// Commands that exist for tests only, with keys of every kind that matters to a trial's identity.
struct MakeConfig {
  std::string in, out;
  std::string flavour = "plain";
  std::int64_t threads = 0;
  void declare(ConfigSchema& schema) {
    schema.add("in", in, "Input", {}, Effect::kNone);
    schema.add("out", out, "Output", {}, Effect::kNone);
    schema.add_choice("flavour", flavour, {"plain", "sweet"}, "Flavour");
    schema.add("threads", threads, "Threads", Range{.low = 0}, Effect::kNone);
  }
};

struct FitConfig {
  std::vector<std::string> data;
  std::string out, init;
  std::string continue_from, note;
  std::int64_t seed = 0, steps = 10, stop_after = 0;
  double lr = 0.1, momentum = 0.9;
  void declare(ConfigSchema& schema) {
    schema.add("data", data, "Sets", {}, Effect::kNone);
    schema.add("init", init, "Start", {}, Effect::kNone);
    schema.add("out", out, "Output", {}, Effect::kNone);
    schema.add("seed", seed, "Seed", Range{.low = 0});
    schema.add("train.steps", steps, "Steps", Range{.low = 1});
    schema.add("note", note, "Any text");
    schema.add("train.stop_after", stop_after, "Stop", Range{.low = 0});
    schema.add("init.continue_from", continue_from, "Run", {}, Effect::kNone);
    schema.add("optimizer.lr", lr, "Rate", Range{.low = 0});
    schema.add("optimizer.momentum", momentum, "Momentum", Range{.low = 0});
  }
};

inline std::vector<StageKind> kinds() {
  return {{"make", "out", {}, declare_config<MakeConfig>},
          {"fit", "out", {"model"}, declare_config<FitConfig>},
          {"score", "scores.json", {}, declare_config<MakeConfig>}};
}

inline Experiment expand(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  return expand_experiment(parse_yaml_document(yaml, "exp.yaml"), overrides, kinds());
}

/// Two sets, two networks of two seeds each, and a score of each.
inline const char* const kStudy = R"(
name: study
values: {steps: 20}
axes: {seed: [0, 1], row: [scratch, tuned]}
stages:
  set: {command: make}
  more: {command: make, flavour: sweet}
  scratch: {command: fit, data: "${set}", seed: "${seed}", train: {steps: "${steps}"}}
  tuned: {command: fit, data: ["${set}", "${more}"], init: "${scratch}", seed: "${seed}"}
  scores: {command: score, in: "${${row}}"}
)";

/// The text of the error that `work` throws; empty when it throws none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

/// Marks a trial as done with `text` as its output.
inline void finish(const TrialStore& store, const Trial& trial, const std::string& text = "x") {
  const fs::path output = store.output(trial);
  if (output.extension().empty()) {
    const fs::path folder = trial.results.empty() ? output : output / trial.results.front();
    fs::create_directories(folder);
    write_atomically(folder / "file", text);
  } else {
    write_atomically(output, text);
  }
  TrialOutcome outcome{.done = true, .host = "here", .code_version = "1", .cost = {.wall_s = 2}};
  store.record_outputs(trial, outcome);
  store.write_outcome(trial.id, outcome);
  const bool moved = store.move(trial.id, TrialState::kPlanned, TrialState::kDone) ||
                     store.move(trial.id, TrialState::kRunning, TrialState::kDone);
  require(moved, "the trial was neither planned nor running");
}

}  // namespace hepar::test
