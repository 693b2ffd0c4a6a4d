#pragma once
#include <torch/nn/module.h>

#include <hepar/core/config.h>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

/// Which residual network turns a VOI into features (staging.md §0, §3).
struct BackboneConfig {
  std::string name = "imr_r34gn";  ///< a row of the table in resnet.cpp
  std::int64_t width = 64;        ///< channels of the stem; the stages are 1, 2, 4, 8 times as wide
  std::string norm = "auto";      ///< group | batch; auto: group for imr_r34gn, else batch
  std::string shortcut = "auto";  ///< a | b; auto: b for imr_r34gn, else a
  bool detached_shortcut = false;  ///< shortcut a without gradient, as MedicalNet trained it
  /// drawn | texture: what an untrained network shows. texture: the stem's first filters are pairs
  /// of one norm group each, differences of Gaussians (fine and coarse) and waves in the plane, of
  /// each image channel; blocks begin as their shortcuts or, where they stride, as a smoothing;
  /// features are whitened by their moments before the first step.
  std::string start = "drawn";
  void declare(ConfigSchema& schema);
};

/// Adds values up over all ranks, in place; every rank calls it as often and in the same order.
using SumExchange = std::function<void(std::vector<double>&)>;

/// A 3D ResNet-34 without a classifier: VOI [N, C, z, y, x] float -> the map [N, K, d, h, w] that
/// is averaged over (d, h, w) and classified; not negative unless its features are whitened.
///
/// BatchNorm normalises with the moments of the tensor it is given or, with exchange_sums_with(),
/// of all ranks' tensors, sums exchanged with gradient; call forward() and backward() equally often
/// on every rank. Its running statistics change only when told, so that they are those of the
/// global batch whatever the split:
///   after each forward():  parts.push_back(take_batch_sums());
///   once a step:           update_running_statistics(Σ parts over micro-batches and ranks);
/// GroupNorm has no sums (empty vectors) and makes samples independent of each other.
class Backbone : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& voi) = 0;

  [[nodiscard]] virtual std::int64_t channels() const = 0;  ///< K
  [[nodiscard]] virtual std::int64_t stride() const = 0;    ///< of the map against the VOI, an axis
  [[nodiscard]] virtual bool has_batch_norm() const = 0;
  [[nodiscard]] virtual bool has_max_pooling() const = 0;

  using VoiAt = std::function<at::Tensor(std::size_t)>;
  /// start texture: from now on forward() maps the features linearly, so that over `count` volumes
  /// their averages have mean 0, are uncorrelated and of one size, but for a ridge; voi_at(i) gives
  /// a VOI [1, C, z, y, x]. Other networks: nothing.
  virtual void whiten_features(std::size_t count, const VoiAt& voi_at) = 0;

  virtual void exchange_sums_with(SumExchange exchange) = 0;
  /// Count, Σx, Σx² of every BatchNorm in the last training forward(), of this rank alone.
  [[nodiscard]] virtual std::vector<double> take_batch_sums() = 0;
  /// Throws ShapeError when `totals` is not a sum of take_batch_sums().
  virtual void update_running_statistics(const std::vector<double>& totals) = 0;
};

/// Weights drawn from `seed`: Kaiming normal (fan out, ReLU), norm scales 1, biases 0; with start
/// texture those it names in their place. The last channel is taken for a mask. Throws ConfigError.
std::shared_ptr<Backbone> make_backbone(const BackboneConfig& config, std::int64_t in_channels,
                                        std::uint64_t seed);

/// Names of the table's rows.
std::vector<std::string> backbone_names();

/// What became of given weights.
struct BackboneTransfer {
  std::vector<std::string> copied, inflated, fresh, unused;
};

/// Copies parameters and buffers by name into `backbone`. A stem with fewer input channels there
/// takes the first channels and gets zeros for the rest: one-channel weights then see the image,
/// and at first not the mask. Throws DataError naming a tensor of another shape, or when no
/// convolution fits.
BackboneTransfer load_backbone(Backbone& backbone,
                               const std::vector<std::pair<std::string, at::Tensor>>& weights);

}  // namespace hepar
