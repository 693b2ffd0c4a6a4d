#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/comm/communicator.h>
#include <hepar/image/image.h>
#include <hepar/image/orientation.h>
#include <hepar/image/preprocess.h>
#include <hepar/nn/regions.h>
#include <hepar/train/model_folder.h>
#include <hepar/train/sliding_window.h>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hepar {

struct PredictOptions {
  double step = 0.5;   ///< of the patch
  bool mirror = true;  ///< over the axes mirrored in training
  std::int64_t tile_batch = 1;
  bool largest_component = false;
  int threads = 1;  ///< of preprocessing and export
  Compute compute = {};
  /// Voxels whose top class has a smaller probability become `ignore_label`; 0: none do.
  double ignore_below = 0;
  std::int16_t ignore_label = 0;
  /// Its ranks share the tiles; all call with the same image and rank 0 has the answer, which is
  /// the one a rank alone would give. nullptr: this rank does all.
  Communicator* sharing = nullptr;
};

/// Logits [classes, z, y, x] on the prepared grid -> the class of the largest logit on the cropped
/// grid at the original spacing. Linear interpolation (nearest along the separate axis), slab by
/// slab: besides the logits it holds one output plane per class and thread, whatever the size of
/// the image.
struct ExportExtras {
  std::vector<float>* confidence = nullptr;  ///< receives each voxel's top softmax probability;
                                             ///< with regions that of the least certain one
  std::vector<Region> regions = {};          ///< what the logits are of; empty: the classes
};
std::vector<std::int16_t> export_labels(const at::Tensor& logits, SizeVox cropped,
                                        std::optional<int> separate_axis, int threads,
                                        const ExportExtras& extras = {});

/// The logits of one of several configurations, each on a grid of its own.
struct ExportPart {
  at::Tensor logits;
  std::optional<int> separate_axis;
};

/// Mean of the parts' probabilities (softmax, or sigmoid of regions) at the original spacing -> the
/// class of the largest one: nnU-Net's ensemble of configurations. Slab by slab as
/// export_labels().
std::vector<std::int16_t> export_mean_labels(std::span<const ExportPart> parts, SizeVox cropped,
                                             int threads, const ExportExtras& extras = {});

/// A case made ready for the network; plain work that a background thread may do.
struct NetworkInput {
  std::string where;
  Grid grid;             ///< of the input, in its orientation
  Reorientation turned;  ///< from there to the model's orientation
  PreparedGeometry geometry;
  at::Tensor image;  ///< [C, z, y, x] float
  std::optional<int> separate_axis;
  std::vector<Region> regions;  ///< of the model
};

/// Turns, crops, normalises and resamples `channels` (any orientation; all on one grid). Throws
/// DataError.
NetworkInput prepare_input(const std::vector<Image<float>>& channels, const Model& model,
                           int threads, const std::string& where);

/// Mean logits of the models, which share plan and channels. Collective with options.sharing;
/// undefined on its ranks but 0.
at::Tensor predict_logits(const NetworkInput& input, const std::vector<Model>& models,
                          const PredictOptions& options);

/// Labels on the input's grid and how sure they are.
struct Prediction {
  LabelImage labels;
  /// Mean over foreground voxels, before any is removed or ignored, of the top class's probability;
  /// 0 without foreground. Computed when ignore_below > 0 or `with_confidence`.
  double confidence = 0;
  std::int64_t foreground = 0;  ///< voxels
  std::int64_t ignored = 0;
};
Prediction finish_prediction(const NetworkInput& input, const at::Tensor& logits,
                             const PredictOptions& options, bool with_confidence = false);

/// One configuration's view of a case.
struct ConfigurationLogits {
  const NetworkInput& input;
  at::Tensor logits;
};

/// The same for several configurations of one case, with the same classes, orientation and
/// transpose: the mean of their probabilities. One alone is finish_prediction().
Prediction finish_ensemble(std::span<const ConfigurationLogits> configurations,
                           const PredictOptions& options, bool with_confidence = false);

/// The three in a row.
LabelImage predict_case(const std::vector<Image<float>>& channels, const std::vector<Model>& models,
                        const PredictOptions& options, const std::string& where);

}  // namespace hepar
