#include "hepar/train/sliding_window.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>

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

/// Weighted logits of tiles, added up.
class TileSum {
 public:
  TileSum(const at::Tensor& volume, std::int64_t classes, SizeVox patch) : patch_(patch) {
    std::vector<float> importance = gaussian_importance(patch);
    weight_ = at::from_blob(importance.data(), {patch.z, patch.y, patch.x}, at::kFloat)
                  .to(volume.device(), false, true);
    const SizeVox size = spatial_size(volume);
    logits_ = at::zeros({classes, size.z, size.y, size.x}, volume.options());
    weights_ = at::zeros({1, size.z, size.y, size.x}, volume.options());
  }

  void add(std::span<const OffsetVox> tiles, const at::Tensor& answers) {
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      const at::Tensor answer = answers[static_cast<std::int64_t>(i)].to(logits_.device());
      tile_of(logits_, tiles[i], patch_).add_(answer * weight_);
      tile_of(weights_, tiles[i], patch_).add_(weight_);
    }
  }

  /// Of the image inside the padding.
  at::Tensor mean(const Padding& padding, SizeVox size) {
    logits_.div_(weights_);
    return tile_of(logits_, {padding.before[0], padding.before[1], padding.before[2]}, size)
        .contiguous();
  }

 private:
  SizeVox patch_;
  at::Tensor weight_, logits_, weights_;
};

/// [n, classes, z, y, x] float.
at::Tensor answers_of(std::span<const OffsetVox> tiles, const at::Tensor& volume,
                      const TileModel& model, const SlidingWindowOptions& options) {
  std::vector<at::Tensor> inputs;
  for (const OffsetVox& tile : tiles) {
    inputs.push_back(tile_of(volume, tile, options.patch));
  }
  return mirrored(at::stack(inputs), model, options.mirror_axes).to(at::kFloat);
}

constexpr int kTileTag = 71;

void send_answers(const at::Tensor& answers, Communicator& ranks) {
  const at::Tensor host = answers.cpu().contiguous();
  ranks.send({host.const_data_ptr<float>(), static_cast<std::size_t>(host.numel())}, 0, kTileTag);
}

at::Tensor receive_answers(std::int64_t tiles, std::int64_t classes,
                           const SlidingWindowOptions& options, int from) {
  const SizeVox patch = options.patch;
  at::Tensor answers = at::empty({tiles, classes, patch.z, patch.y, patch.x}, at::kFloat);
  options.sharing->receive(
      {answers.mutable_data_ptr<float>(), static_cast<std::size_t>(answers.numel())}, from,
      kTileTag);
  return answers;
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
  const std::vector<OffsetVox> tiles = all_tiles(spatial_size(volume), options);
  const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(1, options.tile_batch));
  const auto ranks =
      static_cast<std::size_t>(options.sharing == nullptr ? 1 : options.sharing->size());
  const auto rank =
      static_cast<std::size_t>(options.sharing == nullptr ? 0 : options.sharing->rank());
  const std::size_t groups = (tiles.size() + batch - 1) / batch;
  std::optional<TileSum> sum;
  if (rank == 0) {
    sum.emplace(volume, classes, options.patch);
  }
  const auto group = [&](std::size_t g) {
    return std::span(tiles).subspan(g * batch, std::min(batch, tiles.size() - g * batch));
  };
  for (std::size_t round = 0; round < groups; round += ranks) {
    at::Tensor answers;
    if (round + rank < groups) {
      answers = answers_of(group(round + rank), volume, model, options);
    }
    if (rank != 0 && answers.defined()) {
      send_answers(answers, *options.sharing);
    }
    for (std::size_t r = 0; rank == 0 && r < std::min(ranks, groups - round); ++r) {
      const auto here = group(round + r);
      sum->add(here, r == 0 ? answers
                            : receive_answers(static_cast<std::int64_t>(here.size()), classes,
                                              options, static_cast<int>(r)));
    }
  }
  return sum ? sum->mean(padding, size) : at::Tensor();
}

}  // namespace hepar
