#pragma once
#include <hepar/core/geometry.h>
#include <cstdint>
#include <span>
#include <vector>

namespace hepar::detail {

/// Every output sample along one axis is a weighted sum of `taps` neighbouring input samples (of
/// their spline coefficients when `prefilter` is set).
struct AxisWeights {
  std::int64_t from = 0, to = 0;
  int taps = 0;
  bool prefilter = false;
  std::vector<std::int32_t> first;  ///< first sample of each output, may lie up to kAxisPad outside
  std::vector<float> weight;        ///< to × taps; the spline's gain is folded in
};

/// Samples that may be read beyond either end of an axis.
inline constexpr std::int64_t kAxisPad = 2;

/// Position on the input axis of output sample i, half-pixel centred.
double source_position(std::int64_t from, std::int64_t to, std::int64_t i);

/// Input sample nearest to output sample i: halves go up, as in scipy's order-0 interpolation.
std::int64_t nearest_source(std::int64_t from, std::int64_t to, std::int64_t i);

/// Cubic B-spline whose input is continued by its edge values without end.
AxisWeights cubic_weights(std::int64_t from, std::int64_t to);
AxisWeights linear_weights(std::int64_t from, std::int64_t to);

/// Resamples one axis of a dense volume: `in` has `size`, `out` has `size` with size[axis] replaced
/// by weights.to. Lines are independent, so threads never change a bit.
struct AxisPass {
  SizeVox size;
  int axis = 0;
  int threads = 1;
};
void resample_axis(std::span<const float> in, std::span<float> out, const AxisWeights& weights,
                   const AxisPass& pass);

}  // namespace hepar::detail
