#include "hepar/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "hepar/core/error.h"
#include "intensity_transforms.h"
#include "right_angles.h"
#include "spatial_transform.h"

namespace hepar {
namespace {

constexpr double kPerChannel =
    0.5;  // nnU-Net: blur and low resolution hit each channel with this chance
constexpr double kPerAxis = 0.5;  // and mirroring each axis

std::span<float> channel(Patch& patch, int c) {
  const auto voxels = static_cast<std::size_t>(count(patch.size));
  return {patch.image.data() + static_cast<std::size_t>(c) * voxels, voxels};
}

/// nnU-Net's law of factors: half of the draws below 1, half above, uniform in each half.
double draw_factor(const std::vector<double>& range, RandomStream& random) {
  const bool below = random.chance(0.5);
  if (below && range[0] < 1) {
    return random.uniform(range[0], std::min(1.0, range[1]));
  }
  return random.uniform(std::max(range[0], 1.0), std::max(range[1], 1.0));
}

void augment_noise(Patch& patch, const AugmentationConfig& config, RandomStream& random) {
  if (!random.chance(config.noise_probability)) {
    return;
  }
  const auto std = static_cast<float>(random.uniform(0, config.noise_std_max));
  for (int c = 0; c < patch.channels; ++c) {
    add_noise(channel(patch, c), std, random.next_u64());
  }
}

void augment_blur(Patch& patch, const AugmentationConfig& config, RandomStream& random) {
  if (!random.chance(config.blur_probability)) {
    return;
  }
  for (int c = 0; c < patch.channels; ++c) {
    if (!random.chance(kPerChannel)) {
      continue;
    }
    std::array<double, 3> sigma{};
    for (double& value : sigma) {
      value = random.uniform(config.blur_sigma[0], config.blur_sigma[1]);
    }
    blur(channel(patch, c), patch.size, sigma);
  }
}

void augment_brightness(Patch& patch, const AugmentationConfig& config, RandomStream& random) {
  if (!random.chance(config.brightness_probability)) {
    return;
  }
  for (int c = 0; c < patch.channels; ++c) {
    scale_brightness(channel(patch, c),
                     static_cast<float>(draw_factor(config.brightness_range, random)));
  }
}

void augment_contrast(Patch& patch, const AugmentationConfig& config, RandomStream& random) {
  if (!random.chance(config.contrast_probability)) {
    return;
  }
  for (int c = 0; c < patch.channels; ++c) {
    stretch_contrast(channel(patch, c),
                     static_cast<float>(draw_factor(config.contrast_range, random)));
  }
}

void augment_resolution(Patch& patch, const AugmentationConfig& config, bool planar,
                        RandomStream& random) {
  if (!random.chance(config.low_resolution_probability)) {
    return;
  }
  for (int c = 0; c < patch.channels; ++c) {
    if (!random.chance(kPerChannel)) {
      continue;
    }
    const double share =
        random.uniform(config.low_resolution_range[0], config.low_resolution_range[1]);
    lower_resolution(channel(patch, c), patch.size, {planar ? 1.0 : share, share, share});
  }
}

void augment_gamma(Patch& patch, const AugmentationConfig& config, bool inverted,
                   RandomStream& random) {
  if (!random.chance(inverted ? config.gamma_inverted_probability : config.gamma_probability)) {
    return;
  }
  for (int c = 0; c < patch.channels; ++c) {
    const auto gamma = static_cast<float>(draw_factor(config.gamma_range, random));
    apply_gamma(channel(patch, c), {gamma, inverted});
  }
}

/// Reverses [z, y, x] values along one axis.
template <class T>
void reverse_axis(T* values, SizeVox size, std::int64_t axis) {
  const std::int64_t blocks = axis == 0 ? 1 : (axis == 1 ? size.z : size.z * size.y);
  const std::int64_t n = size[static_cast<int>(axis)];
  const std::int64_t width = count(size) / (blocks * n);
  for (std::int64_t block = 0; block < blocks; ++block) {
    T* lines = values + block * n * width;
    if (width == 1) {
      std::reverse(lines, lines + n);
      continue;
    }
    for (std::int64_t i = 0; i < n / 2; ++i) {
      std::swap_ranges(lines + i * width, lines + (i + 1) * width, lines + (n - 1 - i) * width);
    }
  }
}

void augment_mirror(Patch& patch, const AugmentationConfig& config, RandomStream& random) {
  for (const std::int64_t axis : config.mirror_axes) {
    if (!random.chance(kPerAxis)) {
      continue;
    }
    for (int c = 0; c < patch.channels; ++c) {
      reverse_axis(channel(patch, c).data(), patch.size, axis);
    }
    reverse_axis(patch.labels.data(), patch.size, axis);
  }
}

/// Step 10: nothing outside the mask, and no −1 left unless it means "ignored".
void finish(Patch& patch, const AugmentTask& task) {
  for (int c = 0; c < patch.channels; ++c) {
    const auto index = static_cast<std::size_t>(c);
    if (index >= task.mask_normalised.size() || !task.mask_normalised[index]) {
      continue;
    }
    const std::span<float> image = channel(patch, c);
    for (std::size_t i = 0; i < image.size(); ++i) {
      image[i] = patch.labels[i] < 0 ? 0.0F : image[i];
    }
  }
  if (!task.keep_ignore) {
    for (std::int16_t& label : patch.labels) {
      label = std::max<std::int16_t>(label, 0);
    }
  }
}

void check(const Patch& loaded, const AugmentTask& task) {
  const auto voxels = static_cast<std::size_t>(count(loaded.size));
  require<ShapeError>(loaded.image.size() == voxels * static_cast<std::size_t>(loaded.channels) &&
                          loaded.labels.size() == voxels,
                      "augmentation: wanted image and labels of " + std::to_string(voxels) +
                          " voxels a channel, found " + std::to_string(loaded.image.size()) +
                          " and " + std::to_string(loaded.labels.size()));
  require<ShapeError>(count(task.size) > 0, "augmentation: wanted a patch size above 0");
}

}  // namespace

Patch centre_crop(const Patch& loaded, const AugmentTask& task) {
  check(loaded, task);
  Patch patch = crop_patch(loaded, task.size);
  finish(patch, task);
  return patch;
}

Patch augment(Patch loaded, const AugmentTask& task, const AugmentationConfig& config,
              RandomStream& random) {
  check_augmentation(config);
  if (!config.enabled) {
    return centre_crop(loaded, task);
  }
  if (config.preset == "lna") {
    return turned(centre_crop(loaded, task), draw_right_angles(random));
  }
  check(loaded, task);
  const bool planar = uses_dummy_2d(config, task.size);
  const SpatialDraw draw = draw_spatial(config, planar, random);
  Patch patch;
  if (draw.apply) {
    patch = resample_patch(loaded, task.size, draw);
  } else if (loaded.size == task.size) {
    patch = std::move(loaded);
  } else {
    patch = crop_patch(loaded, task.size);
  }
  augment_noise(patch, config, random);
  augment_blur(patch, config, random);
  augment_brightness(patch, config, random);
  augment_contrast(patch, config, random);
  augment_resolution(patch, config, planar, random);
  augment_gamma(patch, config, /*inverted=*/true, random);
  augment_gamma(patch, config, /*inverted=*/false, random);
  augment_mirror(patch, config, random);
  finish(patch, task);
  return patch;
}

}  // namespace hepar
