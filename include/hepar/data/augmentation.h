#pragma once
#include <hepar/core/config.h>
#include <hepar/core/random.h>
#include <hepar/data/patch.h>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// nnU-Net v2's augmentation table (segmentation.md §1.10); every probability and range is a key.
struct AugmentationConfig {
  bool enabled = true;
  /// nnunet: the table; lna: turns by right angles and flips only, for volumes that may have any
  /// size (staging).
  std::string preset = "nnunet";
  std::string dummy_2d = "auto";  ///< auto (max(patch)/patch[0] > 3) | on | off
  double rotation_probability = 0.2;
  double rotation_degrees = 30;
  double scaling_probability = 0.2;
  std::vector<double> scaling_range{0.7, 1.4};
  double noise_probability = 0.1;
  double noise_std_max = 0.1;
  double blur_probability = 0.2;
  std::vector<double> blur_sigma{0.5, 1.0};
  double brightness_probability = 0.15;
  std::vector<double> brightness_range{0.75, 1.25};
  double contrast_probability = 0.15;
  std::vector<double> contrast_range{0.75, 1.25};
  double low_resolution_probability = 0.25;
  std::vector<double> low_resolution_range{0.5, 1.0};
  double gamma_inverted_probability = 0.1;
  double gamma_probability = 0.3;
  std::vector<double> gamma_range{0.7, 1.5};
  std::vector<std::int64_t> mirror_axes{0, 1, 2};  ///< plan axes that are mirrored, each with p 0.5
  void declare(ConfigSchema& schema);
};

/// Throws ConfigError when a range is not two ascending values or an axis is not 0, 1 or 2.
/// augment() and loader_patch_size() call it.
void check_augmentation(const AugmentationConfig& config);

/// Whether rotation, scaling and low resolution leave the first axis alone.
bool uses_dummy_2d(const AugmentationConfig& config, SizeVox patch);

/// The larger patch to cut so that rotation and scaling leave no empty corners (128³ -> 205³).
SizeVox loader_patch_size(const AugmentationConfig& config, SizeVox patch);

/// Applies the table in its order to `loaded` (loader_patch_size) and returns a patch of `size`.
/// All randomness comes from `random`. mask_normalised: channels whose normalisation used the
/// non-zero mask are set to 0 where the label is −1 (step 10). After it −1 becomes 0 unless
/// `keep_ignore`. With preset lna the central crop, turned: its size may turn with it.
struct AugmentTask {
  SizeVox size;
  std::vector<bool> mask_normalised{};
  bool keep_ignore = false;
};
Patch augment(Patch loaded, const AugmentTask& task, const AugmentationConfig& config,
              RandomStream& random);

/// No augmentation: the central crop of `size`, with the same −1 rule. For validation.
Patch centre_crop(const Patch& loaded, const AugmentTask& task);

}  // namespace hepar
