#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/core/config.h>
#include <cstdint>
#include <string>

namespace hepar {

/// How a staging network sees a volume of interest.
struct VolumeInputConfig {
  std::string intensity = "box";  ///< box | liver: whose mean and sd are 0 and 1
  bool liver_channel = false;     ///< beside the whole image the one that is 0 outside the liver
  void declare(ConfigSchema& schema);
};

/// Channels of volume_input() for `channels` of a VOI.
std::int64_t input_channels(const VolumeInputConfig& config, std::int64_t channels);

/// A VOI [N, C, z, y, x] float, its last channel the liver's mask (above 0: liver) and the others
/// standardised over the box, as the network's input: images, with liver_channel the same images
/// with 0 outside the liver, mask. Intensity "liver": mean 0 and sd 1 inside the mask of each image
/// of each volume, cut at three sd, so that neither vessels nor what lies around decides how the
/// parenchyma looks. A volume without a mask stays standardised over the box; its liver channel is
/// 0 everywhere. As configured by default the VOI as it is, also without a mask's channel; else
/// throws ShapeError where there is none.
at::Tensor volume_input(const at::Tensor& voi, const VolumeInputConfig& config);

}  // namespace hepar
