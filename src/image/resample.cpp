#include <hepar/image/resample.h>

#include <hepar/core/error.h>
#include <hepar/core/parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "bspline.h"

namespace hepar {
namespace {

// nnU-Net's ANISO_THRESHOLD: beyond it the coarse axis carries too little to be interpolated along.
constexpr double kAnisotropy = 3;

std::string text(SizeVox size) {
  return std::to_string(size.z) + "x" + std::to_string(size.y) + "x" + std::to_string(size.x);
}

void check_sizes(std::size_t in, std::size_t out, const Resampling& how) {
  for (int axis = 0; axis < 3; ++axis) {
    require<ShapeError>(how.from[axis] > 0 && how.to[axis] > 0,
                        "resample: wanted sizes of at least 1 voxel, found " + text(how.from) +
                            " -> " + text(how.to));
  }
  require<ShapeError>(static_cast<std::int64_t>(in) == count(how.from) &&
                          static_cast<std::int64_t>(out) == count(how.to),
                      "resample: wanted " + text(how.from) + " -> " + text(how.to) +
                          " voxels, found " + std::to_string(in) + " -> " + std::to_string(out));
}

std::optional<int> coarsest_axis(SpacingMm spacing) {
  const double largest = std::max({spacing.z, spacing.y, spacing.x});
  std::optional<int> found;
  for (int axis = 0; axis < 3; ++axis) {
    if (spacing[axis] == largest) {
      if (found) {
        return std::nullopt;
      }
      found = axis;
    }
  }
  return found;
}

bool is_anisotropic(SpacingMm s) {
  return std::max({s.z, s.y, s.x}) / std::min({s.z, s.y, s.x}) > kAnisotropy;
}

// Copies the nearest input sample along one axis.
void repeat_nearest(std::span<const float> in, std::span<float> out, SizeVox size, int axis,
                    std::int64_t to) {
  const std::int64_t inner = axis == 2 ? 1 : (axis == 1 ? size.x : size.y * size.x);
  const std::int64_t outer = axis == 0 ? 1 : (axis == 1 ? size.z : size.z * size.y);
  const std::int64_t from = size[axis];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < to; ++i) {
      const std::int64_t source = detail::nearest_source(from, to, i);
      std::copy_n(in.data() + (o * from + source) * inner, inner,
                  out.data() + (o * to + i) * inner);
    }
  }
}

struct Limits {
  float low, high;
};

Limits limits_of(const float* values, std::int64_t n) {
  constexpr std::int64_t kLanes = 16;  // independent extremes, so that the compiler can use vectors
  std::array<float, kLanes> low;
  std::array<float, kLanes> high;
  low.fill(values[0]);
  high.fill(values[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t b = 0; b < kLanes; ++b) {
      low[b] = values[i + b] < low[b] ? values[i + b] : low[b];
      high[b] = values[i + b] > high[b] ? values[i + b] : high[b];
    }
  }
  for (; i < n; ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low.begin(), low.end()), *std::max_element(high.begin(), high.end())};
}

void clip(float* values, std::int64_t n, Limits limits) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float raised = values[i] < limits.low ? limits.low : values[i];
    values[i] = raised > limits.high ? limits.high : raised;
  }
}

// Without a separate axis the volume is one image; with one, every slice across it is an image of
// its own and is clipped to its own range.
std::vector<Limits> slice_limits(std::span<const float> volume, SizeVox size,
                                 std::optional<int> axis) {
  if (!axis) {
    return {limits_of(volume.data(), count(size))};
  }
  std::vector<Limits> limits(static_cast<std::size_t>(size[*axis]));
  if (*axis == 0) {
    const std::int64_t slice = size.y * size.x;
    for (std::int64_t z = 0; z < size.z; ++z) {
      limits[static_cast<std::size_t>(z)] = limits_of(volume.data() + z * slice, slice);
    }
    return limits;
  }
  for (std::int64_t i = 0; i < size[*axis]; ++i) {
    const float first = volume[static_cast<std::size_t>(*axis == 1 ? i * size.x : i)];
    limits[static_cast<std::size_t>(i)] = {first, first};
  }
  for (std::int64_t i = 0; i < count(size); ++i) {
    const std::int64_t slice = *axis == 2 ? i % size.x : i / size.x % size.y;
    Limits& l = limits[static_cast<std::size_t>(slice)];
    const float value = volume[static_cast<std::size_t>(i)];
    l = {std::min(l.low, value), std::max(l.high, value)};
  }
  return limits;
}

void clip_slices(std::span<float> volume, SizeVox size, std::optional<int> axis,
                 const std::vector<Limits>& limits) {
  if (!axis || *axis == 0) {
    const std::int64_t slice = axis ? size.y * size.x : count(size);
    for (std::size_t z = 0; z < limits.size(); ++z) {
      clip(volume.data() + static_cast<std::int64_t>(z) * slice, slice, limits[z]);
    }
    return;
  }
  for (std::int64_t i = 0; i < count(size); ++i) {
    const std::int64_t slice = *axis == 2 ? i % size.x : i / size.x % size.y;
    clip(volume.data() + i, 1, limits[static_cast<std::size_t>(slice)]);
  }
}

// A volume on its way through the passes: borrows the input until the first pass has been made.
class Stages {
 public:
  Stages(std::span<const float> in, SizeVox size) : view_(in), size_(size) {}
  [[nodiscard]] std::span<const float> view() const { return view_; }
  [[nodiscard]] SizeVox size() const { return size_; }

  /// Runs `pass(from, to)` into `last` when given, else into a buffer of its own.
  template <class Pass>
  void run(int axis, std::int64_t to, std::span<float> last, Pass&& pass) {
    SizeVox next = size_;
    next[axis] = to;
    std::vector<float> buffer(last.empty() ? static_cast<std::size_t>(count(next)) : 0);
    const std::span<float> target = last.empty() ? std::span<float>(buffer) : last;
    pass(view_, target);
    buffer_ = std::move(buffer);
    view_ = target;
    size_ = next;
  }

 private:
  std::vector<float> buffer_;
  std::span<const float> view_;
  SizeVox size_;
};

// In-plane axes to change, the one that shrinks the volume most first: later passes then touch
// less.
std::vector<int> axes_to_change(const Resampling& how) {
  std::vector<int> axes;
  for (int axis = 0; axis < 3; ++axis) {
    if (how.from[axis] != how.to[axis] && how.separate_axis != axis) {
      axes.push_back(axis);
    }
  }
  std::stable_sort(axes.begin(), axes.end(), [&how](int a, int b) {
    return how.to[a] * how.from[b] < how.to[b] * how.from[a];
  });
  return axes;
}

enum class Order { kLinear, kCubic };

void resample_real(std::span<const float> in, std::span<float> out, const Resampling& how,
                   Order order) {
  check_sizes(in.size(), out.size(), how);
  if (how.from == how.to) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  const std::vector<int> axes = axes_to_change(how);
  const int apart = how.separate_axis.value_or(-1);
  const bool repeats = apart >= 0 && how.from[apart] != how.to[apart];
  std::size_t passes = axes.size() + (repeats ? 1 : 0);
  const auto target = [&] { return --passes == 0 ? out : std::span<float>(); };
  Stages stages(in, how.from);
  const auto repeat = [&] {
    stages.run(apart, how.to[apart], target(), [&](std::span<const float> a, std::span<float> b) {
      repeat_nearest(a, b, stages.size(), apart, how.to[apart]);
    });
  };
  const bool repeat_first = repeats && how.to[apart] < how.from[apart];
  if (repeat_first) {
    repeat();
  }
  std::vector<Limits> limits;
  if (order == Order::kCubic && !axes.empty()) {
    limits = slice_limits(stages.view(), stages.size(), how.separate_axis);
  }
  std::span<float> interpolated;
  for (int axis : axes) {
    const auto weights = order == Order::kCubic
                             ? detail::cubic_weights(how.from[axis], how.to[axis])
                             : detail::linear_weights(how.from[axis], how.to[axis]);
    stages.run(axis, how.to[axis], target(), [&](std::span<const float> a, std::span<float> b) {
      detail::resample_axis(a, b, weights,
                            {.size = stages.size(), .axis = axis, .threads = how.threads});
      interpolated = b;
    });
  }
  if (!limits.empty()) {
    clip_slices(interpolated, stages.size(), how.separate_axis, limits);
  }
  if (repeats && !repeat_first) {
    repeat();
  }
}

}  // namespace

SizeVox resampled_size(SizeVox size, SpacingMm from, SpacingMm to) {
  SizeVox result;
  for (int axis = 0; axis < 3; ++axis) {
    // nearbyint rounds halves to even, as Python's round() does.
    const double exact = from[axis] / to[axis] * static_cast<double>(size[axis]);
    result[axis] = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::nearbyint(exact)));
  }
  return result;
}

std::optional<int> separate_axis(SpacingMm current, SpacingMm target) {
  if (is_anisotropic(current)) {
    return coarsest_axis(current);
  }
  return is_anisotropic(target) ? coarsest_axis(target) : std::nullopt;
}

void resample_cubic(std::span<const float> in, std::span<float> out, const Resampling& how) {
  resample_real(in, out, how, Order::kCubic);
}

void resample_linear(std::span<const float> in, std::span<float> out, const Resampling& how) {
  resample_real(in, out, how, Order::kLinear);
}

}  // namespace hepar
