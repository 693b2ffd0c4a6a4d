#pragma once
#include <hepar/core/config.h>
#include <hepar/data/augmentation.h>
#include <hepar/data/patch_sampler.h>
#include <hepar/nn/csl_loss.h>
#include <hepar/nn/head.h>
#include <hepar/nn/resnet.h>
#include <hepar/nn/segmentation_loss.h>
#include <hepar/nn/volume_input.h>
#include <hepar/train/compute_config.h>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

/// Texts of which there is often one: a single text stands for a list of it.
struct TextList : std::vector<std::string> {
  using std::vector<std::string>::vector;
  TextList(std::vector<std::string> list) : std::vector<std::string>(std::move(list)) {}
  TextList& operator=(const std::string& text) {
    assign(1, text);
    return *this;
  }
};

template <>
struct detail::ConfigField<TextList> {
  static ConfigValue get(const TextList& field) { return std::vector<std::string>(field); }
  static void set(TextList& field, const ConfigValue& value) {
    field = TextList(std::get<std::vector<std::string>>(value));
  }
};

struct DataConfig {
  TextList path;                ///< prepared sets, all of one plan
  std::vector<double> weights;  ///< how likely a case of each set is drawn; empty: all 1
  std::string fold = "all";     ///< "all" or 0 … folds−1: the part that is held out
  std::int64_t folds = 5;
  std::vector<std::string> splits{"train"};            ///< key `split`: splits trained on
  std::vector<std::string> label{"manual", "pseudo"};  ///< kinds of mask trained on
  /// Sums of classes with a sigmoid output each ("liver+lesion", "lesion"): each writes its first
  /// class, later ones over earlier. Empty: one class a voxel.
  std::vector<std::string> regions;
  std::string splits_file;  ///< key `splits`: splits_final.json, read, or written where missing
  void declare(ConfigSchema& schema);
};

/// Weights to start from.
struct InitConfig {
  std::string from;             ///< run or model folder; empty: random weights
  std::string heads = "reset";  ///< reset | keep; reset anyway when the classes differ
  /// Run folder of the same training stopped earlier (train.stop_after); empty: none.
  std::string continue_from;
  void declare(ConfigSchema& schema);
};

struct ScheduleConfig {
  std::int64_t steps = 1000;            ///< optimizer steps; schedules reach to the last
  std::int64_t stop_after = 0;          ///< steps after which it ends all the same; 0: all
  std::int64_t global_batch = 0;        ///< samples a step over all ranks; 0: the plan's
  std::int64_t checkpoint_every = 250;  ///< steps
  std::int64_t keep_checkpoints = 2;
  std::int64_t log_every = 10;
  std::int64_t validate_every = 0;  ///< steps; 0: never
  std::int64_t validation_patches = 16;
  /// Validations without a lower loss after which training ends; 0: never. Staging only: they see
  /// `inner_share` of the fold's training patients, kept out of training for it (PROTOCOL §5).
  std::int64_t early_stopping = 0;
  double inner_share = 0.15;
  void declare(ConfigSchema& schema);
  /// The step after which the training ends.
  [[nodiscard]] std::int64_t last_step() const { return stop_after == 0 ? steps : stop_after; }
};

struct OptimizerConfig {
  std::string name = "sgd";  ///< sgd | adam | adamw
  double lr = 0.01;
  double backbone_lr = 1;  ///< of parameters backbone.*, in lr; 0: they stay as they are
  double momentum = 0.99;  ///< sgd
  bool nesterov = true;    ///< sgd
  double weight_decay = 3e-5;
  double clip_norm = 12;       ///< of the global gradient; 0: off
  std::string decay = "poly";  ///< poly | exponential | none
  double poly_exponent = 0.9;
  double decay_factor = 0.99;       ///< exponential: every decay_every steps
  std::int64_t decay_every = 2000;  ///< steps
  std::int64_t warmup_steps = 0;    ///< linear from 0
  void declare(ConfigSchema& schema);
};

struct DistConfig {
  std::string reduction = "tree";  ///< tree | fast
  std::int64_t shards = 0;         ///< K; 0: the plan's
  std::string backend = "auto";    ///< auto | mpi | nccl
  void declare(ConfigSchema& schema);
};

struct RunConfig {
  std::int64_t threads = 0;  ///< of Torch, a rank; 0: usable processors / ranks that share them
  std::int64_t loader_threads = 1;
  std::int64_t prefetch_steps = 3;
  bool deterministic = false;  ///< on a GPU; a CPU always is
  double heartbeat_s = 5;  ///< of the run folder's lease
  double silence_s = 30;   ///< of the watchdog (comm/watchdog.h): all ranks wait, or one is silent
  double deadline_s = 1800;  ///< of the watchdog: ranks wait for one that works
  void declare(ConfigSchema& schema);
};

/// Everything `hepar train` can be told. Defaults are nnU-Net v2's default trainer.
struct TrainConfig {
  std::string out;
  std::uint64_t seed = 0;
  ComputeConfig compute;              ///< keys `device`, `precision`
  std::string task = "segmentation";  ///< segmentation | staging
  std::string plan;                   ///< plan file; empty: the prepared set's own
  DataConfig data;
  InitConfig init;
  ScheduleConfig train;
  OptimizerConfig optimizer;
  DistConfig dist;
  RunConfig run;
  SamplingConfig sampling;
  AugmentationConfig augmentation;
  SegmentationLossConfig loss;
  // Of staging alone:
  BackboneConfig backbone;
  VolumeInputConfig volume;
  HeadConfig head;  ///< keys `head`, heads.*
  CslConfig csl;
  void declare(ConfigSchema& schema);
};

/// Learning rate of a step (0-based): linear warm-up, then lr·(1 − step/steps)^exponent (poly) or
/// lr·factor^⌊step/every⌋ (exponential; LNA's 0.99 an epoch of 2,000 steps, staging.md §1a).
/// nnU-Net decays once an epoch of 250 steps; here every step does, so the number of steps alone
/// says what a run is.
double learning_rate(const OptimizerConfig& config, std::int64_t step, std::int64_t steps);

}  // namespace hepar
