#pragma once
#include <hepar/core/config.h>
#include <hepar/core/geometry.h>
#include <hepar/image/image.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// How a liver mask becomes a volume of interest (PROTOCOL §4).
struct VoiRule {
  double spacing_mm = 1.5;  ///< edge of the cubic voxels
  std::int64_t margin_low = 2;
  std::int64_t margin_high = 1;  ///< voxels beyond the mask's box, as the winner's code
  std::vector<std::int64_t>
      max_size;  ///< (z, y, x) voxels: larger boxes are cut about their centre
  bool largest_component = true;
  std::vector<double> volume_ml{500, 4500};  ///< a plausible liver
  double min_component_share = 0.5;          ///< of the largest component in the mask
  double max_centroid_mm = 80;               ///< from the median of the patient's other sequences
  double carry_margin_mm = 20;               ///< around a mask carried over from a sibling
  void declare(ConfigSchema& schema);
};

/// A sequence of a patient with the mask that the segmenter gave it; both on one cubic grid.
struct SegmentedSequence {
  std::string sequence;
  LabelImage mask;  ///< 1 liver
};

/// What is measured of a mask.
struct MaskFigures {
  double volume_ml = 0;
  double component_share = 0;                ///< of the largest component, 26-connected
  std::optional<WorldMm> centroid;           ///< without any for an empty mask
  std::optional<double> centroid_offset_mm;  ///< against the other sequences' median
};

/// Where a volume's mask comes from.
enum class VoiMask {
  kOwn,      ///< the segmenter's
  kCarried,  ///< a sibling sequence's, in patient coordinates
  kNone,     ///< the whole volume, an empty mask
};
std::string to_string(VoiMask kind);  ///< own | carried | none

struct Voi {
  VoiMask kind = VoiMask::kNone;
  std::string carried_from;        ///< sequence
  std::vector<std::string> flags;  ///< why the own mask was not taken; "cut to max_size"
  MaskFigures figures;             ///< of the own mask
  LabelImage mask;                 ///< on the whole cubic grid: what the second channel shows
  BoxVox found;                    ///< the box before it was cut to max_size
  BoxVox box;
};

/// The volume of each sequence. A mask is implausible when its volume, the share of its largest
/// component, or its centroid's distance to the median of the patient's other plausible sequences
/// is out of bounds. Then the mask of the plausible sibling of nearest centre is carried over and
/// its box gets carry_margin_mm; without one the whole volume stays, with an empty mask. Every
/// sequence gets a volume.
std::vector<Voi> choose_vois(const std::vector<SegmentedSequence>& sequences, const VoiRule& rule,
                             int threads);

/// The mask's bounding box with `low` and `high` voxels around it, clipped to the grid; nothing for
/// an empty mask.
std::optional<BoxVox> mask_box(const LabelImage& mask, std::int64_t low, std::int64_t high);

/// The voxels in the box, (v − mean) / sd over all of them (sd at least 1e-8).
std::vector<float> standardised_crop(const Image<float>& image, const BoxVox& box);
std::vector<std::int16_t> crop_labels(const LabelImage& mask, const BoxVox& box);

/// The share of the truth's voxels that lie in the box; nothing for an empty truth.
std::optional<double> box_recall(const LabelImage& truth, const BoxVox& box);

}  // namespace hepar
