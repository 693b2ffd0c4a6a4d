#include "reasons.h"

#include <array>
#include <charconv>

namespace hepar {

namespace {

const char* const kUser = "set by the user";

std::string millions(double activations) {
  return std::to_string(static_cast<std::int64_t>(activations / 1e6 + 0.5)) + " million";
}

std::string budget(const Decisions& d) {
  return millions(d.rule.reference) + " activations of preset " + to_string(d.request.preset);
}

std::string patch_reason(const Decisions& d) {
  const std::string cost = millions(static_cast<double>(d.fit.activations)) + " activations";
  if (d.request.overrides.patch_size) {
    return std::string(kUser) + "; " + cost + " a sample, where the rule aims at the " + budget(d);
  }
  std::string text =
      "a cube in mm of 256^3 voxels, no edge over the median shape, padded to what the strides "
      "divide: " +
      text_of(d.fit.first_patch);
  if (d.fit.reductions > 0) {
    text += "; reduced " + std::to_string(d.fit.reductions) +
            " times along the edge largest against the median shape";
  }
  return text + "; " + cost + " a sample fit the " + budget(d);
}

std::string batch_reason(const Decisions& d) {
  if (d.request.overrides.batch_size) {
    return kUser;
  }
  std::string text = "2 samples times budget over cost gives " + std::to_string(d.batch.by_memory);
  if (d.batch.by_coverage < d.batch.by_memory) {
    text += "; a batch may span " + text_of(d.rule.covered * 100) +
            " % of the training voxels, which gives " + std::to_string(d.batch.by_coverage);
  }
  return d.batch.size > std::min(d.batch.by_memory, d.batch.by_coverage)
             ? text + "; never fewer than 2"
             : text;
}

std::string features_reason(const Decisions& d) {
  const bool set = d.request.overrides.base_features || d.request.overrides.max_features;
  return std::to_string(d.rule.base_features) + " doubled a stage, at most " +
         std::to_string(d.rule.max_features) + (set ? "; " + std::string(kUser) : "");
}

std::string transpose_reason(const Decisions& d) {
  const std::array<int, 3> none{0, 1, 2};
  static const std::array<const char*, 3> kNames{"z", "y", "x"};
  const std::string coarsest = std::string(kNames[static_cast<std::size_t>(d.grid.transpose[0])]) +
                               " has the largest spacing";
  return d.grid.transpose == none ? coarsest + " and stays first" : coarsest + " and comes first";
}

std::string batch_dice_reason(const Decisions& d) {
  return d.lowres ? "the patch sees under a quarter of the median shape (nnU-Net would add a "
                    "lowres stage), so "
                    "Dice sums span the batch"
                  : "the patch sees enough of the median shape for a Dice of its own a sample";
}

std::string median_reason(const Decisions& d) {
  const std::size_t cases = d.request.sizes.size();
  return cases == 0 ? "the shape given, at the target spacing"
                    : "median of " + std::to_string(cases) + " sizes at the target spacing";
}

}  // namespace

std::string text_of(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string text_of(SizeVox size) {
  return std::to_string(size.z) + "," + std::to_string(size.y) + "," + std::to_string(size.x);
}

std::string text_of(SpacingMm spacing) {
  return text_of(spacing.z) + "," + text_of(spacing.y) + "," + text_of(spacing.x);
}

std::map<std::string, std::string> plan_reasons(const Decisions& d) {
  const bool residual = d.rule.architecture == "resenc";
  return {
      {"spacing_mm", d.grid.spacing_reason},
      {"median_shape", median_reason(d)},
      {"patch_size", patch_reason(d)},
      {"batch_size", batch_reason(d)},
      {"strides",
       "an axis is halved while it keeps 4 voxels and its spacing is within twice the finest"},
      {"kernels", "1 along an axis until its spacing is within twice the finest, 3 from there on"},
      {"features", features_reason(d)},
      {"normalization", d.request.normalization_reason},
      {"channels", "one sequence a channel, as selected"},
      {"classes", "the labels of the data, background first"},
      {"transpose", transpose_reason(d)},
      {"architecture", "preset " + to_string(d.request.preset)},
      {"blocks_per_stage", residual ? "residual blocks 1, 3, 4 and then 6, nnU-Net's ResEnc presets"
                                    : "2 convolutions a stage, nnU-Net's plain U-Net"},
      {"convs_per_decoder_level", residual ? "1 convolution a level, nnU-Net's ResEnc presets"
                                           : "2 convolutions a level, nnU-Net's plain U-Net"},
      {"batch_dice", batch_dice_reason(d)},
      {"shards",
       "the largest power of two that is not above the batch size: up to that many ranks "
       "give the same bits"},
  };
}

}  // namespace hepar
