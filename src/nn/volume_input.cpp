#include "hepar/nn/volume_input.h"

#include <ATen/Functions.h>

#include <vector>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr double kMost_sd = 3;
constexpr double kLeastVariance = 1e-6;  // of a box whose variance is 1: a constant liver

/// `images` [N, C, z, y, x] by the moments inside `mask` [N, 1, z, y, x].
at::Tensor standardised_in(const at::Tensor& images, const at::Tensor& mask) {
  const std::vector<std::int64_t> space{2, 3, 4};
  const at::Tensor voxels = mask.sum(space, /*keepdim=*/true);
  const at::Tensor count = voxels.clamp_min(1);
  const at::Tensor mean = (images * mask).sum(space, true) / count;
  const at::Tensor centred = images - mean;
  const at::Tensor variance = (centred.square() * mask).sum(space, true) / count;
  const at::Tensor inside =
      (centred / variance.clamp_min(kLeastVariance).sqrt()).clamp(-kMost_sd, kMost_sd);
  return at::where(voxels.gt(0), inside, images);
}

}  // namespace

void VolumeInputConfig::declare(ConfigSchema& schema) {
  schema.add_choice("intensity", intensity, {"box", "liver"},
                    "Where a volume's mean is 0 and its sd 1: in its box, or in the liver, then "
                    "cut at three sd");
  schema.add("liver_channel", liver_channel,
             "Another channel with the image that is 0 outside the liver");
}

std::int64_t input_channels(const VolumeInputConfig& config, std::int64_t channels) {
  return config.liver_channel ? 2 * channels - 1 : channels;
}

at::Tensor volume_input(const at::Tensor& voi, const VolumeInputConfig& config) {
  const bool in_liver = config.intensity == "liver";
  if (!in_liver && !config.liver_channel) {
    return voi;  // also without a mask: the backbone knows how many channels it wants
  }
  require<ShapeError>(
      voi.dim() == 5 && voi.size(1) >= 2,
      "volume input: wanted a VOI [N, images and mask, z, y, x], found " + c10::str(voi.sizes()));
  const std::int64_t images = voi.size(1) - 1;
  const at::Tensor mask = voi.narrow(1, images, 1);
  const at::Tensor inside = mask.gt(0).to(voi.scalar_type());
  at::Tensor image = voi.narrow(1, 0, images);
  if (in_liver) {
    image = standardised_in(image, inside);
  }
  return config.liver_channel ? at::cat({image, image * inside, mask}, 1)
                              : at::cat({image, mask}, 1);
}

}  // namespace hepar
