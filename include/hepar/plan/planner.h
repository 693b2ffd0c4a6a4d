#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/normalization.h>
#include <hepar/plan/plan.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// Which of nnU-Net v2's planners is followed.
enum class PlanPreset {
  kPlain,     ///< PlainConvUNet, 8 GB; a batch covers at most 5 % of the training voxels
  kResEncM,   ///< ResidualEncoderUNet, 8 GB
  kResEncL,   ///< ResidualEncoderUNet, 24 GB
  kResEncXL,  ///< ResidualEncoderUNet, 40 GB
};

std::string to_string(PlanPreset preset);  ///< "plain", "resenc_m", "resenc_l", "resenc_xl"
/// Throws ConfigError naming the nearest preset.
PlanPreset plan_preset_from(const std::string& name);

/// What a user sets instead of the rules; everything left empty is planned.
struct PlanOverrides {
  std::optional<SpacingMm> target_spacing;  ///< mm, canonical axis order
  std::optional<SizeVox> patch_size;        ///< voxels, the plan's axis order
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> base_features;  ///< of the first stage; doubled a stage
  std::optional<std::int64_t> max_features;
};

/// What a plan is made from. Either `spacings` and `sizes` of all cases, or, when those are empty,
/// one `spacing` and the `median_shape` at it. All in canonical axis order (z, y, x).
struct PlanRequest {
  SpacingMm spacing;                ///< mm
  SizeVox median_shape;             ///< voxels at `spacing`
  std::vector<SpacingMm> spacings;  ///< mm, one a case
  std::vector<SizeVox> sizes;       ///< voxels, one a case, after the crop to the non-zero region
  std::int64_t cases = 1;           ///< training cases, for the 5 % rule
  std::vector<std::string> channels{"image"};
  std::vector<std::string> classes{"background", "foreground"};
  std::vector<Normalization> normalization;  ///< one a channel; empty: z-score everywhere
  std::string normalization_reason = "z-score, nnU-Net's rule for every channel that is not CT";
  PlanPreset preset = PlanPreset::kPlain;
  PlanOverrides overrides;
};

/// nnU-Net v2's 3d_fullres plan (segmentation.md §1.3, §1.6, §1.7), every value with its reason.
/// Throws ConfigError when the request makes no sense (nothing to plan from, a spacing that is not
/// positive, a patch that its strides do not divide, a median shape too small for a U-Net).
Plan make_plan(const PlanRequest& request);

/// One row a value: key, value, reason; for format_table().
std::vector<std::vector<std::string>> describe_plan(const Plan& plan);

}  // namespace hepar
