#pragma once
#include <hepar/core/normalization.h>
#include <hepar/image/image.h>
#include <array>
#include <vector>

namespace hepar {

/// What the plan says about preparing a case; all sizes in the plan's axis order.
struct PreprocessRule {
  SpacingMm spacing;                      ///< target spacing, after the transpose
  std::array<int, 3> transpose{0, 1, 2};  ///< plan axis i is canonical axis transpose[i]
  std::vector<Normalization> channels;
};

/// How a prepared case lies in the canonical image it came from: enough to write an answer back.
struct PreparedGeometry {
  Grid canonical;  ///< grid of the canonical image (before transpose and crop)
  BoxVox crop;     ///< non-zero box in the transposed image
  SizeVox size;    ///< prepared size, plan axis order
  std::array<int, 3> transpose{0, 1, 2};
};

struct PreparedImage {
  PreparedGeometry geometry;
  std::vector<std::vector<float>> channels;  ///< each count(geometry.size)
  std::vector<std::int16_t> labels;  ///< empty without a mask; −1 outside the non-zero region
};

/// Transpose, crop to the non-zero region (union over channels, holes filled), normalise, resample:
/// in this order (segmentation.md §1.0–1.5). `channels` share one grid and are in canonical
/// orientation. Throws DataError "WHERE: …" when grids differ or the image is empty.
PreparedImage preprocess(const std::vector<Image<float>>& channels, const LabelImage* labels,
                         const PreprocessRule& rule, int threads, const std::string& where);

/// Box of the non-zero region of a transposed multi-channel image, holes filled; the whole image
/// when all voxels are zero. `inside` (may be null) receives the filled mask over the whole image.
BoxVox nonzero_box(const std::vector<std::vector<float>>& channels, SizeVox size,
                   std::vector<std::uint8_t>* inside);

/// Writes labels given on the *cropped, original-spacing* grid back into the canonical image:
/// pastes into zeros and undoes the transpose.
LabelImage restore_labels(const std::vector<std::int16_t>& cropped,
                          const PreparedGeometry& geometry);

}  // namespace hepar
