#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/normalization.h>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hepar {

/// plan.yaml: what a network sees and what it looks like. Everything is in the plan's own axis
/// order: plan axis i is canonical axis transpose[i].
struct Plan {
  SpacingMm spacing_mm;
  SizeVox median_shape;  ///< of the resampled training cases
  SizeVox patch_size;
  std::int64_t batch_size = 2;
  std::vector<std::array<std::int64_t, 3>> strides;  ///< one a stage, the first is 1,1,1
  std::vector<std::array<std::int64_t, 3>> kernels;  ///< one a stage
  std::vector<std::int64_t> features;                ///< one a stage
  std::vector<Normalization> normalization;          ///< one a channel
  std::vector<std::string> channels;                 ///< sequence names, one a channel
  std::vector<std::string> classes;                  ///< label names, background first
  std::array<int, 3> transpose{0, 1, 2};
  std::string architecture = "plain";          ///< plain | resenc
  std::vector<std::int64_t> blocks_per_stage;  ///< encoder convs (plain: 2) or residual blocks
  std::vector<std::int64_t> convs_per_decoder_level;
  bool batch_dice = false;
  std::int64_t shards = 1;                     ///< K of dist.reduction: tree
  std::map<std::string, std::string> reasons;  ///< key -> why it has this value

  friend bool operator==(const Plan&, const Plan&) = default;
};

/// Throws DataError naming file and key: missing, wrong length, not positive, patch not divisible
/// by the strides' product, unknown architecture, unknown key.
Plan read_plan(const std::filesystem::path& path);
Plan parse_plan(const std::string& yaml, const std::string& where);
std::string to_yaml(const Plan& plan);

/// xxh64 of to_yaml(plan) without the reasons.
std::string plan_hash(const Plan& plan);

}  // namespace hepar
