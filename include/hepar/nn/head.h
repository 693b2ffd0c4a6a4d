#pragma once
#include <torch/nn/module.h>

#include <hepar/core/config.h>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hepar {

constexpr std::int64_t kStageClasses = 4;  ///< S1 … S4, as indices 0 … 3

/// Which head, and what the heads can be told.
struct HeadConfig {
  std::string name = "ce";             ///< key `head`: a row of the table in src/nn/heads/table.cpp
  std::string ord_distance = "abs";    ///< abs | squared | log
  double ord_scale = 1;                ///< multiplies the distance
  std::string reg_loss = "squared";    ///< squared | smooth_l1
  double reg_temperature = 0.5;        ///< in stages
  void declare(ConfigSchema& schema);  ///< head, heads.ord_distance, …
};

struct HeadOptions {
  HeadConfig config;
  std::int64_t features = 256;
  /// Share of each stage in the training part; bce splits what its logits leave to S2 and S3 by it.
  std::array<double, 4> stage_prior{0.25, 0.25, 0.25, 0.25};
};

/// What a head's loss adds to the global batch: Σ wᵢ·numeratorᵢ / Σ wᵢ·denominatorᵢ with the
/// samples' weights w. [N] each; denominators depend on the stages only.
struct SampleLoss {
  at::Tensor numerator, denominator;
};

/// A sample's scores. Two binary tasks share one convention everywhere: q4 = P(S4), q1 = P(S1).
struct StageScores {
  at::Tensor probabilities;  ///< [N, 4], rows sum to 1
  at::Tensor q4, q1;         ///< [N], in [0, 1]
  at::Tensor flagged;        ///< [N] bool: the four columns contradict q4 or q1, see four_columns()
};

/// Hard calls: q4 >= ½, q1 >= ½, and one of four stages.
struct StageCalls {
  at::Tensor cirrhosis, early;  ///< [N] bool
  at::Tensor stage;             ///< [N] int64 in [0, 4)
};

/// Whose evidence a class activation loss confines.
enum class EvidenceOf { kTrueStage, kAll, kPredicted };

/// A linear layer on pooled features with a loss, and what its logits mean as stages. Each head is
/// one file in src/nn/heads/, which states its formula and source. Parameters: weight, bias.
class Head : public torch::nn::Module {
 public:
  /// pooled features [N, F] -> logits [N, W]: features · class_weight()ᵀ + bias.
  [[nodiscard]] at::Tensor forward(const at::Tensor& pooled) const;
  [[nodiscard]] virtual at::Tensor class_weight() const;  ///< [W, F], live: gradient flows through
  [[nodiscard]] at::Tensor class_bias() const { return bias_; }  ///< [W]
  [[nodiscard]] std::int64_t logits() const { return bias_.numel(); }

  /// logits [N, W], stage [N] int64. Computed in float at least. Throws ShapeError; DataError for a
  /// stage outside [0, 4).
  [[nodiscard]] SampleLoss loss(const at::Tensor& logits, const at::Tensor& stage) const;

  [[nodiscard]] virtual StageScores decode(const at::Tensor& logits) const = 0;
  /// Of decoded scores or of their mean over sequences.
  [[nodiscard]] StageCalls call(const StageScores& scores) const;

  /// Sequences of one patient are averaged before decode(), not after.
  [[nodiscard]] virtual bool averages_logits() const { return false; }
  /// By which rule the four columns are filled where the head has no four classes; empty when it
  /// has.
  [[nodiscard]] virtual std::string four_columns() const { return {}; }

  /// Why a class activation loss has no meaning here; empty when it has.
  [[nodiscard]] virtual std::string no_activation_loss() const { return {}; }
  /// Maps that are positive where a voxel speaks for the class they stand for: activation maps
  /// [N, W, d, h, w] -> [N, M, d, h, w]. Only where no_activation_loss() is empty.
  struct Samples {
    const at::Tensor& logits;  ///< [N, W]
    const at::Tensor& stage;   ///< [N] int64
  };
  [[nodiscard]] virtual at::Tensor evidence(const at::Tensor& maps, const Samples& samples,
                                            EvidenceOf whose) const;

  /// Biases before the first step, after the weights were drawn.
  virtual void preset_bias();

 protected:
  struct Size {
    std::int64_t rows, logits, features;
  };
  explicit Head(const Size& size);
  [[nodiscard]] virtual SampleLoss sample_loss(const at::Tensor& logits,
                                               const at::Tensor& stage) const = 0;
  /// Default: the most probable stage.
  [[nodiscard]] virtual at::Tensor call_stage(const StageScores& scores) const;

  at::Tensor weight_, bias_;
};

/// One row of the table of heads.
struct HeadEntry {
  const char* name;
  const char* title;  ///< in tables
  std::shared_ptr<Head> (*make)(const HeadOptions&);
};
const std::vector<HeadEntry>& head_table();
std::vector<std::string> head_names();

/// Throws ConfigError. Weights are zeros until drawn.
std::shared_ptr<Head> make_head(const HeadOptions& options);

}  // namespace hepar
