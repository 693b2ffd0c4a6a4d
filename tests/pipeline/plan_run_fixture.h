#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/measured_trials.h>

#include <string>
#include <vector>

#include "pipeline/experiment_fixture.h"

namespace hepar::test {

/// A few keys of the commands that plan-run tells apart.
struct NetConfig {
  std::vector<std::string> data;
  std::string out, task = "segmentation", head = "ce";
  std::int64_t seed = 0, fold = 0, steps = 10, stop_after = 0, width = 8, batch = 4, every = 250;
  std::string continue_from, device = "auto";
  double lr = 0.1;
  void declare(ConfigSchema& schema) {
    schema.add("data.path", data, "Sets", {}, Effect::kNone);
    schema.add("out", out, "Output", {}, Effect::kNone);
    schema.add("task", task, "Task");
    schema.add("head", head, "Head");
    schema.add("seed", seed, "Seed");
    schema.add("data.fold", fold, "Fold");
    schema.add("train.steps", steps, "Steps");
    schema.add("train.stop_after", stop_after, "Stop");
    schema.add("train.checkpoint_every", every, "Steps", {}, Effect::kNone);
    schema.add("train.global_batch", batch, "Batch");
    schema.add("backbone.width", width, "Width");
    schema.add("init.continue_from", continue_from, "Run", {}, Effect::kNone);
    schema.add("optimizer.lr", lr, "Rate");
    schema.add("device", device, "Device", {}, Effect::kNone);
  }
};

struct StepConfig {
  std::vector<std::string> data;
  std::string out, plan, patch = "16";
  void declare(ConfigSchema& schema) {
    schema.add("data", data, "Input", {}, Effect::kNone);
    schema.add("plan", plan, "Plan", {}, Effect::kNone);
    schema.add("out", out, "Output", {}, Effect::kNone);
    schema.add("patch", patch, "Patch");
  }
};

inline Experiment expand_study(const std::string& yaml) {
  const std::vector<StageKind> kinds{{"train", "out", {"model"}, declare_config<NetConfig>},
                                     {"plan", "plan.yaml", {}, declare_config<StepConfig>},
                                     {"prepare", "out", {}, declare_config<StepConfig>},
                                     {"predict", "out", {}, declare_config<StepConfig>},
                                     {"evaluate", "scores.json", {}, declare_config<StepConfig>}};
  return expand_experiment(parse_yaml_document(yaml, "exp.yaml"), {}, kinds);
}

/// A plan, a set, a network a seed, its predictions.
inline const char* const kNets = R"(
name: nets
axes: {seed: [0, 1, 2]}
stages:
  plan: {command: plan}
  set: {command: prepare, plan: "${plan}"}
  net: {command: train, data: {path: "${set}"}, seed: "${seed}", train: {steps: 20, global_batch: 4}}
  masks: {command: predict, data: ["${net}", "${set}"]}
)";

inline std::vector<const Trial*> trials_of(const Experiment& experiment, const std::string& stage) {
  std::vector<const Trial*> found;
  for (const Trial& trial : experiment.trials) {
    if (trial.stage == stage) {
      found.push_back(&trial);
    }
  }
  return found;
}

/// What a test says of a trial that was done.
struct Done {
  double wall_s = 1;
  int ranks = 1;
  int cores = 1;
  double step_s = 0;  ///< logged; 0: none
  std::string started = "2026-01-01T00:00:00Z";
};

inline MeasuredTrial measured(const Experiment& experiment, const Trial& trial, const Done& done) {
  MeasuredTrial seen{.trial = trial, .folder = "runs/before"};
  seen.keys = cost_keys(experiment).at(trial.id);
  seen.cost = {.wall_s = done.wall_s, .ranks = done.ranks, .cores = done.cores};
  if (trial.steps > 0) {
    seen.training = split_wall(
        done.wall_s, done.step_s,
        {.steps = trial.steps, .global_batch = 4, .ranks = done.ranks, .reduction = "tree"});
  }
  return seen;
}

/// Writes a trial's folder as `hepar run` leaves it.
inline void leave(const TrialStore& store, const Trial& trial, const Done& done) {
  const fs::path output = store.output(trial);
  const fs::path results = trial.results.empty() ? output : output / trial.results.front();
  if (output.extension().empty()) {
    fs::create_directories(results);
    write_atomically(results / "weights.safetensors", std::string(1000, 'x'));
  } else {
    write_atomically(output, std::string(10, 'x'));
  }
  if (trial.steps > 0) {
    write_atomically(output / "metrics.jsonl",
                     "{\"step\":10,\"loss\":1,\"step_s\":" + std::to_string(done.step_s) +
                         ",\"samples_per_s\":" + std::to_string(4 / done.step_s) + "}\n");
    fs::create_directories(output / "checkpoints" / "step-0000020");
    write_atomically(output / "checkpoints" / "latest", std::string("step-0000020\n"));
    write_atomically(output / "checkpoints" / "step-0000020" / "state", std::string(3000, 'x'));
  }
  TrialOutcome outcome{.done = true, .started = done.started, .host = "here", .code_version = "1"};
  outcome.cost = {.wall_s = done.wall_s, .ranks = done.ranks, .cores = done.cores};
  store.record_outputs(trial, outcome);
  store.write_outcome(trial.id, outcome);
  require(store.move(trial.id, TrialState::kPlanned, TrialState::kDone), "it was not planned");
}

}  // namespace hepar::test
