#include "hepar/train/sliding_window.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr double kSigmaShare = 1.0 / 8;  // of the patch
constexpr double kTruncate = 4;          // standard deviations, as scipy.ndimage.gaussian_filter
constexpr double kPeak = 10;             // keeps the corner weights representable in half precision

std::vector<double> gaussian_axis(std::int64_t patch) {
  const double sigma = static_cast<double>(patch) * kSigmaShare;
  const auto radius = static_cast<std::int64_t>(kTruncate * sigma + 0.5);
  std::vector<double> weights(static_cast<std::size_t>(patch), 0.0);
  for (std::int64_t i = 0; i < patch; ++i) {
    const std::int64_t distance = std::abs(i - patch / 2);
    if (distance <= radius) {
      const double d = static_cast<double>(distance) / sigma;
      weights[static_cast<std::size_t>(i)] = std::exp(-0.5 * d * d);
    }
  }
  return weights;
}

SizeVox spatial_size(const at::Tensor& image) {
  return {image.size(1), image.size(2), image.size(3)};
}

/// Voxels of zero added before and after each axis.
struct Padding {
  std::array<std::int64_t, 3> before{}, after{};
};

Padding padding_to(SizeVox size, SizeVox patch) {
  Padding padding;
  for (int axis = 0; axis < 3; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    const std::int64_t missing = std::max<std::int64_t>(0, patch[axis] - size[axis]);
    padding.before[i] = missing / 2;
    padding.after[i] = missing - missing / 2;
  }
  return padding;
}

at::Tensor pad(const at::Tensor& image, const Padding& p) {
  return at::constant_pad_nd(
      image, {p.before[2], p.after[2], p.before[1], p.after[1], p.before[0], p.after[0]}, 0);
}

at::Tensor tile_of(const at::Tensor& volume, OffsetVox start, SizeVox size) {
  return volume.narrow(1, start.z, size.z).narrow(2, start.y, size.y).narrow(3, start.x, size.x);
}

std::vector<OffsetVox> all_tiles(SizeVox size, const SlidingWindowOptions& options) {
  std::vector<OffsetVox> tiles;
  for (const std::int64_t z : tile_starts(size.z, options.patch.z, options.step)) {
    for (const std::int64_t y : tile_starts(size.y, options.patch.y, options.step)) {
      for (const std::int64_t x : tile_starts(size.x, options.patch.x, options.step)) {
        tiles.push_back({z, y, x});
      }
    }
  }
  return tiles;
}

/// Mean of the logits over every combination of flips.
at::Tensor mirrored(const at::Tensor& tiles, const TileModel& model,
                    const std::vector<std::int64_t>& mirror_axes) {
  const std::size_t combinations = std::size_t{1} << mirror_axes.size();
  at::Tensor sum = model(tiles);
  for (std::size_t mask = 1; mask < combinations; ++mask) {
    std::vector<std::int64_t> dims;
    for (std::size_t i = 0; i < mirror_axes.size(); ++i) {
      if ((mask >> i & 1) != 0) {
        dims.push_back(mirror_axes[i] + 2);
      }
    }
    sum.add_(at::flip(model(at::flip(tiles, dims)), dims));
  }
  return sum.div_(static_cast<double>(combinations));
}

}  // namespace

std::vector<std::int64_t> tile_starts(std::int64_t size, std::int64_t patch, double step) {
  require(step > 0 && step <= 1, "tile step: wanted a share of the patch in (0, 1]");
  if (size <= patch) {
    return {0};
  }
  const double stride = static_cast<double>(patch) * step;
  const auto last =
      static_cast<std::int64_t>(std::ceil(static_cast<double>(size - patch) / stride));
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i <= last; ++i) {
    const double at =
        static_cast<double>(size - patch) * static_cast<double>(i) / static_cast<double>(last);
    starts.push_back(static_cast<std::int64_t>(std::nearbyint(at)));
  }
  return starts;
}

std::vector<float> gaussian_importance(SizeVox patch) {
  const std::array<std::vector<double>, 3> axes{gaussian_axis(patch.z), gaussian_axis(patch.y),
                                                gaussian_axis(patch.x)};
  std::vector<float> map;
  map.reserve(static_cast<std::size_t>(count(patch)));
  float smallest = static_cast<float>(kPeak);
  for (const double z : axes[0]) {
    for (const double y : axes[1]) {
      for (const double x : axes[2]) {
        const auto weight = static_cast<float>(kPeak * z * y * x);
        smallest = weight > 0 ? std::min(smallest, weight) : smallest;
        map.push_back(weight);
      }
    }
  }
  std::replace(map.begin(), map.end(), 0.0F, smallest);
  return map;
}

at::Tensor sliding_window(const at::Tensor& image, std::int64_t classes, const TileModel& model,
                          const SlidingWindowOptions& options) {
  require<ShapeError>(image.dim() == 4, "sliding_window: wanted an image [C, z, y, x]");
  const at::NoGradGuard no_grad;
  const SizeVox size = spatial_size(image);
  const Padding padding = padding_to(size, options.patch);
  const at::Tensor volume = pad(image, padding);
  const SizeVox padded = spatial_size(volume);
  std::vector<float> importance = gaussian_importance(options.patch);
  const at::Tensor weight =
      at::from_blob(importance.data(), {options.patch.z, options.patch.y, options.patch.x},
                    at::kFloat)
          .to(image.device(), false, true);
  at::Tensor logits = at::zeros({classes, padded.z, padded.y, padded.x}, image.options());
  at::Tensor weights = at::zeros({1, padded.z, padded.y, padded.x}, image.options());

  const std::vector<OffsetVox> tiles = all_tiles(padded, options);
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(1, options.tile_batch));
  for (std::size_t first = 0; first < tiles.size(); first += batch) {
    const std::size_t end = std::min(tiles.size(), first + batch);
    std::vector<at::Tensor> inputs;
    for (std::size_t i = first; i < end; ++i) {
      inputs.push_back(tile_of(volume, tiles[i], options.patch));
    }
    const at::Tensor answers = mirrored(at::stack(inputs), model, options.mirror_axes);
    for (std::size_t i = first; i < end; ++i) {
      const at::Tensor answer = answers[static_cast<std::int64_t>(i - first)].to(at::kFloat);
      tile_of(logits, tiles[i], options.patch).add_(answer * weight);
      tile_of(weights, tiles[i], options.patch).add_(weight);
    }
  }
  logits.div_(weights);
  return tile_of(logits, {padding.before[0], padding.before[1], padding.before[2]}, size)
      .contiguous();
}

}  // namespace hepar
