// reg: one output y, the stage index as a number.
//   loss = (y − s)²  (squared), or with d = |y − s|: ½·d² below 1, d − ½ above  (smooth_l1)
//   P(s >= k) = σ((y − k + ½) / τ): q4 = σ((y − 2.5) / τ), q1 = σ((0.5 − y) / τ);
//   columns are their differences;  call: q >= ½, which is y >= 2.5 and y <= 0.5; stage: the
//   median one, y rounded
// Sequences are averaged as y, then mapped. Both tasks share one ranking, that of y.
// No activation loss: y estimates a stage, its sign speaks for no class; the paper has no such row.
// Source: the paper's row "Reg"; cuts and τ = ½ are ours (staging.md §2).
#include <ATen/Functions.h>

#include "decoding.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

class RegHead final : public Head {
 public:
  explicit RegHead(const HeadOptions& options)
      : Head({1, 1, options.features}),
        smooth_(options.config.reg_loss == "smooth_l1"),
        temperature_(options.config.reg_temperature) {
    require<ConfigError>(
        smooth_ || options.config.reg_loss == "squared",
        "heads.reg_loss: wanted squared or smooth_l1, found '" + options.config.reg_loss + "'");
    require<ConfigError>(temperature_ > 0, "heads.reg_temperature: wanted more than 0");
  }

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    const at::Tensor cuts = at::arange(0.5, kStageClasses - 1, 1, logits.options());
    return heads::cumulative_scores(at::sigmoid((logits - cuts) / temperature_));
  }

  [[nodiscard]] bool averages_logits() const override { return true; }
  [[nodiscard]] std::string four_columns() const override {
    return "differences of P(s >= k) = sigmoid((y - k + 0.5) / temperature) of the regressed "
           "stage y";
  }
  [[nodiscard]] std::string no_activation_loss() const override {
    return "its one output estimates a stage: a voxel's share in it is evidence for no class";
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor y = logits.select(1, 0);
    const at::Tensor target = stage.to(y.scalar_type());
    const at::Tensor loss =
        smooth_ ? at::smooth_l1_loss(y, target, at::Reduction::None) : (y - target).square();
    return {loss, at::ones_like(loss)};
  }
  [[nodiscard]] at::Tensor call_stage(const StageScores& scores) const override {
    return heads::median_stage(scores.probabilities);
  }

 private:
  bool smooth_;
  double temperature_;
};

}  // namespace

std::shared_ptr<Head> make_reg_head(const HeadOptions& options) {
  return std::make_shared<RegHead>(options);
}

}  // namespace hepar
