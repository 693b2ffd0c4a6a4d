#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/image/image.h>
#include <hepar/image/preprocess.h>
#include <hepar/train/model_folder.h>
#include <hepar/train/sliding_window.h>
#include <vector>

namespace hepar {

struct PredictOptions {
  double step = 0.5;   ///< of the patch
  bool mirror = true;  ///< over the axes mirrored in training
  std::int64_t tile_batch = 1;
  bool largest_component = false;
  int threads = 1;  ///< of preprocessing and export
};

/// Logits [classes, z, y, x] on the prepared grid -> the class of the largest logit on the cropped
/// grid at the original spacing. Linear interpolation (nearest along the separate axis), slab by
/// slab: besides the logits it holds one output plane per class and thread, whatever the size of
/// the image.
std::vector<std::int16_t> export_labels(const at::Tensor& logits, SizeVox cropped,
                                        std::optional<int> separate_axis, int threads);

/// Labels on the grid and in the orientation of `channels` (any orientation; all on one grid).
/// Models of an ensemble share plan and channels; their logits are averaged.
LabelImage predict_case(const std::vector<Image<float>>& channels, const std::vector<Model>& models,
                        const PredictOptions& options, const std::string& where);

}  // namespace hepar
