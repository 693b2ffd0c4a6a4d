#pragma once
#include <hepar/core/geometry.h>
#include <cstdint>
#include <optional>
#include <span>

namespace hepar {

/// One resampling: half-pixel-centred coordinates, src = from/to·(i + 0.5) − 0.5, edges replicated,
/// no anti-aliasing (segmentation.md §1.5).
struct Resampling {
  SizeVox from;
  SizeVox to;
  std::optional<int> separate_axis;  ///< treated apart, nearest neighbour along it
  int threads = 1;
};

/// round-half-even(from / to · size), at least 1 on each axis.
SizeVox resampled_size(SizeVox size, SpacingMm from, SpacingMm to);

/// The coarse axis to treat apart: max/min spacing > 3 in `current` (its coarsest axis), else in
/// `target`; none when two axes tie for coarsest.
std::optional<int> separate_axis(SpacingMm current, SpacingMm target);

/// Cubic B-spline (order 3), clipped to the input's range as skimage's `resize` does; along the
/// separate axis nearest. in: count(from), out: count(to).
void resample_cubic(std::span<const float> in, std::span<float> out, const Resampling& how);

/// Linear; along the separate axis nearest. For logits.
void resample_linear(std::span<const float> in, std::span<float> out, const Resampling& how);

/// Labels: every label's one-hot image is resampled linearly, assigned where >= 0.5, later (higher)
/// labels over earlier ones.
void resample_labels(std::span<const std::int16_t> in, std::span<std::int16_t> out,
                     const Resampling& how);

}  // namespace hepar
