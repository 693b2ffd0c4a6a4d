#pragma once
#include <string>

namespace hepar {

/// How one channel's intensities are brought to a common scale (nnU-Net v2, segmentation.md §1.4).
enum class NormalizationKind {
  kZScore,        ///< (x − mean) / max(std, 1e-8) of the image itself
  kZScoreMasked,  ///< the same over the non-zero region only; voxels outside it stay untouched
  kCt,  ///< clip to the data set's foreground p0.5 and p99.5, subtract its mean, divide by its std
  kNone,
  kRescale01,  ///< (x − min) / max(max − min, 1e-8)
};

/// The rule of one channel; the foreground statistics are used by kCt only.
struct Normalization {
  NormalizationKind kind = NormalizationKind::kZScore;
  double mean = 0, std = 1, percentile_00_5 = 0, percentile_99_5 = 0;
  friend bool operator==(const Normalization&, const Normalization&) = default;
};

std::string to_string(
    NormalizationKind kind);  ///< "zscore", "zscore_masked", "ct", "none", "rescale01"
/// Throws DataError naming `where`, the text found and the known names.
NormalizationKind normalization_kind_from(const std::string& name, const std::string& where);

}  // namespace hepar
