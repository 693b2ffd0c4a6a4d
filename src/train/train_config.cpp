#include "hepar/train/train_config.h"

#include <algorithm>
#include <cmath>

namespace hepar {

void DataConfig::declare(ConfigSchema& schema) {
  schema.add("path", path, "Prepared sets (hepar-prep prepare), all of one plan; one or a list", {},
             Effect::kNone);
  schema.add("weights", weights,
             "How likely a case of each set is drawn, against one of weight 1; empty: all 1",
             Range{.low = 0});
  schema.add("fold", fold, "Part that is held out: all (nothing is), or 0 … folds-1");
  schema.add("folds", folds, "Number of folds, by patient, stratified by domain", Range{.low = 2});
  schema.add("split", splits, "Splits of the sets that may be trained on");
  schema.add("label", label, "Kinds of mask to train on: manual, pseudo");
  schema.add("regions", regions,
             "Sums of classes with a sigmoid output each (liver+lesion, lesion), later over "
             "earlier; empty: one class a voxel");
  schema.add("splits", splits_file,
             "splits_final.json with the folds: read, or written where it is missing", {},
             Effect::kNone);
}

void InitConfig::declare(ConfigSchema& schema) {
  schema.add("from", from, "Run or model folder whose weights to start from; empty: random", {},
             Effect::kNone);
  schema.add_choice("heads", heads, {"reset", "keep"},
                    "What becomes of its heads; they are reset anyway when the classes differ");
  schema.add("continue_from", continue_from,
             "Run folder of the same training stopped earlier (train.stop_after): goes on from its "
             "last checkpoint, to the bits of one that never stopped",
             {}, Effect::kNone);
}

void ScheduleConfig::declare(ConfigSchema& schema) {
  schema.add("steps", steps, "Optimizer steps", Range{.low = 1});
  schema.add("stop_after", stop_after,
             "Steps after which training ends, model included, while schedules still reach to "
             "train.steps; 0: train.steps",
             Range{.low = 0});
  schema.add("global_batch", global_batch, "Samples a step, over all ranks; 0: the plan's",
             Range{.low = 0});
  schema.add("checkpoint_every", checkpoint_every, "Steps between checkpoints", Range{.low = 1},
             Effect::kNone);
  schema.add("keep_checkpoints", keep_checkpoints, "Checkpoints kept", Range{.low = 1},
             Effect::kNone);
  schema.add("log_every", log_every, "Steps between metric lines", Range{.low = 1}, Effect::kNone);
  schema.add("validate_every", validate_every,
             "Steps between online validations on held-out patches; 0: never", Range{.low = 0},
             Effect::kNone);
  schema.add("validation_patches", validation_patches, "Patches of one online validation",
             Range{.low = 1}, Effect::kNone);
  schema.add("early_stopping", early_stopping,
             "Staging: validations (validate_every) without a lower loss after which training "
             "ends, with the weights of the lowest; 0: never",
             Range{.low = 0});
  schema.add("inner_share", inner_share,
             "Share of the fold's training patients that early stopping validates on instead",
             Range{.low = 0.05, .high = 0.5});
}

void OptimizerConfig::declare(ConfigSchema& schema) {
  schema.add_choice("name", name, {"sgd", "adam", "adamw"}, "Optimizer");
  schema.add("lr", lr, "Initial learning rate", Range{.low = 0});
  schema.add("backbone_lr", backbone_lr,
             "Staging: the backbone's learning rate in those of the head", Range{.low = 0});
  schema.add("momentum", momentum, "Momentum (sgd)", Range{.low = 0, .high = 1});
  schema.add("nesterov", nesterov, "Nesterov momentum (sgd)");
  schema.add("weight_decay", weight_decay, "L2 penalty (sgd, adam) or decoupled decay (adamw)",
             Range{.low = 0});
  schema.add("clip_norm", clip_norm, "Largest global gradient norm; 0: off", Range{.low = 0});
  schema.add_choice("decay", decay, {"poly", "exponential", "none"}, "Learning rate decay");
  schema.add("poly_exponent", poly_exponent, "Exponent of the poly decay", Range{.low = 0});
  schema.add("decay_factor", decay_factor, "Exponential decay: factor every decay_every steps",
             Range{.low = 0, .high = 1});
  schema.add("decay_every", decay_every, "Exponential decay: steps from factor to factor",
             Range{.low = 1});
  schema.add("warmup_steps", warmup_steps, "Steps of linear warm-up from 0", Range{.low = 0});
}

void DistConfig::declare(ConfigSchema& schema) {
  schema.add_choice("reduction", reduction, {"tree", "fast"},
                    "tree: same bits on any number of ranks; fast: order left to MPI or NCCL");
  schema.add("shards", shards, "Logical shards K of the tree; 0: the plan's", Range{.low = 0});
  schema.add_choice("backend", backend, {"auto", "mpi", "nccl"}, "Who moves gradients",
                    Effect::kNone);
}

void RunConfig::declare(ConfigSchema& schema) {
  schema.add("threads", threads,
             "Torch threads of a rank; 0: usable processors / ranks that share them",
             Range{.low = 0});
  schema.add("loader_threads", loader_threads, "Threads that cut and augment patches",
             Range{.low = 1}, Effect::kNone);
  schema.add("prefetch_steps", prefetch_steps, "Steps prepared ahead", Range{.low = 1},
             Effect::kNone);
  schema.add("deterministic", deterministic,
             "On a GPU: only kernels that always give the same bits (slower); a CPU has no others");
  schema.add("heartbeat_s", heartbeat_s, "Seconds between beats of the run folder's lease",
             Range{.low = 0.05}, Effect::kNone);
  schema.add("silence_s", silence_s,
             "Seconds after which ranks that all wait for one another, or a rank without a sign of "
             "life, end the job (exit 4)",
             Range{.low = 0.5}, Effect::kNone);
  schema.add("deadline_s", deadline_s,
             "Seconds that ranks wait for one that works (reads, saves, validates) before they end "
             "the job (exit 4)",
             Range{.low = 0.5}, Effect::kNone);
}

void TrainConfig::declare(ConfigSchema& schema) {
  schema.add("out", out, "Run folder; an interrupted run in it is continued", {}, Effect::kNone);
  schema.add("seed", seed, "Seed of weights, sampling, augmentation and folds", Range{.low = 0});
  compute.declare(schema);
  schema.add_choice("task", task, {"segmentation", "staging"},
                    "What is trained: a U-Net on a prepared set, or a staging network on volumes "
                    "of interest");
  schema.add("plan", plan, "Plan file; empty: the prepared set's own", {}, Effect::kNone);
  schema.section("data", data);
  schema.section("init", init);
  schema.section("train", train);
  schema.section("optimizer", optimizer);
  schema.section("dist", dist);
  schema.section("run", run);
  schema.section("sampling", sampling);
  schema.section("augmentation", augmentation);
  schema.section("loss", loss);
  schema.section("backbone", backbone);
  schema.section("volume", volume);
  head.declare(schema);
  schema.section("csl", csl);
}

double learning_rate(const OptimizerConfig& config, std::int64_t step, std::int64_t steps) {
  if (step < config.warmup_steps) {
    return config.lr * static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps + 1);
  }
  if (config.decay == "none") {
    return config.lr;
  }
  if (config.decay == "exponential") {
    return config.lr *
           std::pow(config.decay_factor, static_cast<double>(step / config.decay_every));
  }
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return config.lr * std::pow(std::max(0.0, 1 - done), config.poly_exponent);
}

}  // namespace hepar
