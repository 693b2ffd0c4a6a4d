#pragma once
#include <torch/nn/module.h>

#include <hepar/nn/autocast.h>
#include <hepar/plan/plan.h>
#include <cstdint>
#include <memory>
#include <vector>

namespace hepar {

/// A 3D segmentation network: image [N, C, z, y, x] float -> logits, full resolution first; under
/// deep supervision one tensor [N, classes, z/s, y/s, x/s] for each decoder level, else one.
class SegmentationNetwork : public torch::nn::Module {
 public:
  virtual std::vector<at::Tensor> forward(const at::Tensor& image) = 0;

  /// Moves the weights to compute.device; forward() computes in compute.type from now on, and
  /// gives logits of that type.
  void use(const Compute& compute) {
    to(compute.device);
    compute_ = compute;
  }

  bool deep_supervision =
      true;  ///< return every decoder level's logits (training) or the first only

 protected:
  Compute compute_;
};

struct UNetOptions {
  std::int64_t in_channels = 1;
  std::int64_t classes = 2;            ///< output channels
  std::string architecture = "plain";  ///< plain | resenc
  std::vector<std::int64_t> features;
  std::vector<std::array<std::int64_t, 3>> strides, kernels;
  std::vector<std::int64_t> blocks_per_stage, convs_per_decoder_level;
};

UNetOptions unet_options(const Plan& plan);

/// nnU-Net v2's PlainConvUNet and ResidualEncoderUNet (segmentation.md §1.8), weights drawn from
/// `seed` (Kaiming normal a = 0.01, biases 0, last norm of each residual block 0) through
/// RandomStream: the same bits everywhere. Parameter names follow nnU-Net's without its duplicates,
/// so weights can be imported.
std::shared_ptr<SegmentationNetwork> make_unet(const UNetOptions& options, std::uint64_t seed);

}  // namespace hepar
