#pragma once
#include <hepar/core/config.h>
#include <hepar/core/json.h>
#include <hepar/image/image.h>
#include <hepar/io/lineage.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// What is done to a predicted mask, step by step: keep the largest component (26-connected, ties
/// all kept) of one label, or of the whole foreground.
struct PostprocessRule {
  static constexpr std::int64_t kForeground = 0;
  std::vector<std::int64_t> keep_largest;  ///< a label, or kForeground; in order
  Lineage lineage;                         ///< the cases whose masks it was fitted on
};

/// Voxels outside the components kept become background.
void apply_rule(const PostprocessRule& rule, LabelImage& labels);

/// A postprocessing.json. Throws DataError naming file and field.
PostprocessRule read_postprocess_rule(const std::filesystem::path& file);

/// `hepar postprocess`: fits the rule on predictions of cases their models never saw.
struct PostprocessConfig {
  std::string pred;  ///< folder of out-of-fold masks (NIfTI)
  std::string ref;   ///< folder of reference masks, same file names
  std::string out;   ///< postprocessing.json
  std::int64_t threads = 0;
  void declare(ConfigSchema& schema);
};

/// nnU-Net's rule (segmentation.md §1.12): the largest component of the whole foreground, kept when
/// the mean Dice over labels rises and no label's falls; then, with several labels, each label's in
/// order, kept when its Dice rises. Dice as nnU-Net's: a case with a label in neither mask does not
/// count. The document has the steps, every decision with its Dice before and after, and the
/// lineage. Refuses (exit 2) predictions by models that saw the very masks.
Json fit_postprocessing(const PostprocessConfig& config);

/// nnU-Net's score of config.pred as it is: each label's mean Dice over the cases where it is in
/// either mask, and "mean" over labels. Refuses what fit_postprocessing() refuses.
Json label_dice(const PostprocessConfig& config);

/// fit_postprocessing(), written to config.out atomically and said on stdout.
void postprocess(const PostprocessConfig& config, bool dry_run);

}  // namespace hepar
