#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "hepar/core/error.h"
#include "hepar/data/augmentation.h"

namespace hepar {
namespace {

constexpr double kDummyRatio = 3;        // nnU-Net's anisotropy threshold
constexpr double kLargestRotation = 90;  // beyond it the bounding box shrinks again
constexpr double kLoaderSmallestScale =
    0.85;  // nnU-Net's; less than the augmentation's, to bound the cost

void check_pair(const std::vector<double>& range, const std::string& name) {
  require<ConfigError>(range.size() == 2 && range[0] <= range[1],
                       "augmentation." + name + ": wanted two values, the smaller first, found " +
                           std::to_string(range.size()) + " values" +
                           (range.size() == 2 ? " in the wrong order" : ""));
}

}  // namespace

void AugmentationConfig::declare(ConfigSchema& schema) {
  const Range probability{.low = 0, .high = 1};
  const Range positive{.low = 1e-3, .high = 100};
  schema.add("enabled", enabled, "Augment training patches");
  schema.add_choice("preset", preset, {"nnunet", "lna"},
                    "nnunet: all that follows; lna: nothing but turns by right angles and flips "
                    "(staging only)");
  schema.add_choice(
      "dummy_2d", dummy_2d, {"auto", "on", "off"},
      "Rotate and scale in the plane only (auto: longest patch side > 3 x the first)");
  schema.add("rotation_probability", rotation_probability, "Probability of a rotation",
             probability);
  schema.add("rotation_degrees", rotation_degrees,
             "Largest rotation about each axis, degrees (in-plane mode: always 180)",
             Range{.low = 0, .high = 180});
  schema.add("scaling_probability", scaling_probability, "Probability of a scaling", probability);
  schema.add("scaling_range", scaling_range, "Range of the scale; above 1 shrinks the object",
             positive);
  schema.add("noise_probability", noise_probability, "Probability of Gaussian noise", probability);
  schema.add("noise_std_max", noise_std_max, "Largest standard deviation of the noise",
             Range{.low = 0});
  schema.add("blur_probability", blur_probability,
             "Probability of a Gaussian blur (then 0.5 a channel)", probability);
  schema.add("blur_sigma", blur_sigma, "Range of the blur's sigma on each axis, voxels", positive);
  schema.add("brightness_probability", brightness_probability,
             "Probability of a multiplicative brightness change", probability);
  schema.add("brightness_range", brightness_range, "Range of the brightness factor", positive);
  schema.add("contrast_probability", contrast_probability, "Probability of a contrast change",
             probability);
  schema.add("contrast_range", contrast_range, "Range of the contrast factor", positive);
  schema.add("low_resolution_probability", low_resolution_probability,
             "Probability of a simulated low resolution (then 0.5 a channel)", probability);
  schema.add("low_resolution_range", low_resolution_range,
             "Range of the share of voxels kept an axis", Range{.low = 0.01, .high = 1});
  schema.add("gamma_inverted_probability", gamma_inverted_probability,
             "Probability of a gamma curve on the inverted image", probability);
  schema.add("gamma_probability", gamma_probability, "Probability of a gamma curve", probability);
  schema.add("gamma_range", gamma_range, "Range of gamma", positive);
  schema.add("mirror_axes", mirror_axes, "Plan axes that are mirrored, each with probability 0.5",
             Range{.low = 0, .high = 2});
}

void check_augmentation(const AugmentationConfig& config) {
  check_pair(config.scaling_range, "scaling_range");
  check_pair(config.blur_sigma, "blur_sigma");
  check_pair(config.brightness_range, "brightness_range");
  check_pair(config.contrast_range, "contrast_range");
  check_pair(config.low_resolution_range, "low_resolution_range");
  check_pair(config.gamma_range, "gamma_range");
  for (const std::int64_t axis : config.mirror_axes) {
    require<ConfigError>(
        axis >= 0 && axis <= 2,
        "augmentation.mirror_axes: wanted 0, 1 or 2, found " + std::to_string(axis));
  }
}

bool uses_dummy_2d(const AugmentationConfig& config, SizeVox patch) {
  if (config.dummy_2d != "auto") {
    return config.dummy_2d == "on";
  }
  const auto longest = static_cast<double>(std::max({patch.z, patch.y, patch.x}));
  return longest / static_cast<double>(patch.z) > kDummyRatio;
}

SizeVox loader_patch_size(const AugmentationConfig& config, SizeVox patch) {
  check_augmentation(config);
  const bool resamples = config.enabled && config.preset == "nnunet";
  const bool rotates = resamples && config.rotation_probability > 0;
  const bool scales = resamples && config.scaling_probability > 0;
  if (!rotates && !scales) {
    return patch;
  }
  const bool planar = uses_dummy_2d(config, patch);
  double degrees = 0;
  if (rotates) {
    degrees = planar ? kLargestRotation : std::min(config.rotation_degrees, kLargestRotation);
  }
  const double angle = degrees * std::numbers::pi / 180;
  const std::array<double, 3> side{static_cast<double>(patch.z), static_cast<double>(patch.y),
                                   static_cast<double>(patch.x)};
  SizeVox result;
  for (int axis = 0; axis < 3; ++axis) {
    // A rotation turns each side into a mixture with one neighbour's sum and the other's difference
    // (nnU-Net rotates the corner (z, y, x) about one axis at a time, in one direction).
    const double own = side[static_cast<std::size_t>(axis)];
    const double after = side[static_cast<std::size_t>((axis + 1) % 3)];
    const double before = side[static_cast<std::size_t>((axis + 2) % 3)];
    const double sum = own * std::cos(angle) + after * std::sin(angle);
    const double difference = std::abs(own * std::cos(angle) - before * std::sin(angle));
    const double divisor = scales ? kLoaderSmallestScale : 1.0;
    result[axis] = static_cast<std::int64_t>(std::max({own, sum, difference}) / divisor);
  }
  if (planar) {
    result.z = patch.z;
  }
  return result;
}

}  // namespace hepar
