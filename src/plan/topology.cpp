#include <hepar/plan/topology.h>

#include <hepar/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace hepar {

namespace {

constexpr double kMinEdge = 4;  // voxels an axis keeps at the bottleneck

struct Axes {
  std::array<double, 3> spacing;
  std::array<double, 3> size;
};

// The axes that the next stage halves; empty when there is no next stage.
std::vector<int> axes_to_halve(const Axes& axes) {
  std::vector<int> large;
  for (int i = 0; i < 3; ++i) {
    if (axes.size[i] >= 2 * kMinEdge) {
      large.push_back(i);
    }
  }
  if (large.empty()) {
    return large;
  }
  double finest = axes.spacing[large[0]];
  for (int i : large) {
    finest = std::min(finest, axes.spacing[i]);
  }
  std::erase_if(large, [&](int i) { return axes.spacing[i] / finest >= 2; });
  if (large.size() == 1 && axes.size[large[0]] < 3 * kMinEdge) {
    large.clear();
  }
  return large;
}

std::int64_t volume(SizeVox size) { return count(size); }

SizeVox divide(SizeVox size, const std::array<std::int64_t, 3>& by) {
  return {size.z / by[0], size.y / by[1], size.x / by[2]};
}

// A residual stage: two convolutions a block, and a projection where channels or size change.
std::int64_t residual_stage(const NetworkOutline& network, std::size_t stage, SizeVox size) {
  const std::int64_t features = network.features[stage];
  const auto& stride = network.strides[stage];
  const std::int64_t before = network.features[stage == 0 ? 0 : stage - 1];
  const bool projected = before != features || stride != std::array<std::int64_t, 3>{1, 1, 1};
  return (2 * network.blocks_per_stage[stage] + (projected ? 1 : 0)) * features * volume(size);
}

}  // namespace

Topology pool_and_conv_props(SpacingMm spacing, MeanSizeVox size) {
  Axes axes{{spacing.z, spacing.y, spacing.x}, {size.z, size.y, size.x}};
  Topology result;
  result.strides.push_back({1, 1, 1});
  result.divisor = {1, 1, 1};
  std::array<std::int64_t, 3> kernel{1, 1, 1};
  for (auto halved = axes_to_halve(axes); !halved.empty(); halved = axes_to_halve(axes)) {
    const double finest = *std::min_element(axes.spacing.begin(), axes.spacing.end());
    for (int i = 0; i < 3; ++i) {
      if (axes.spacing[i] / finest < 2) {
        kernel[i] = 3;  // and stays 3
      }
    }
    std::array<std::int64_t, 3> stride{1, 1, 1};
    for (int i : halved) {
      stride[i] = 2;
      axes.spacing[i] *= 2;
      axes.size[i] = std::ceil(axes.size[i] / 2);
      result.divisor[i] *= 2;
    }
    result.strides.push_back(stride);
    result.kernels.push_back(kernel);
  }
  result.kernels.push_back({3, 3, 3});
  for (int i = 0; i < 3; ++i) {
    const auto divisor = static_cast<double>(result.divisor[i]);
    result.patch_size[i] = static_cast<std::int64_t>(std::ceil(size[i] / divisor) * divisor);
  }
  return result;
}

std::int64_t activation_count(const NetworkOutline& network) {
  const bool residual = network.architecture == "resenc";
  require<ConfigError>(
      residual || network.architecture == "plain",
      "architecture: wanted plain or resenc, found '" + network.architecture + "'");
  const std::size_t stages = network.strides.size();
  SizeVox size = network.patch_size;
  std::vector<SizeVox> sizes;
  std::int64_t total = residual ? network.features[0] * volume(size) : 0;  // the stem
  for (std::size_t stage = 0; stage < stages; ++stage) {
    size = divide(size, network.strides[stage]);
    sizes.push_back(size);
    total += residual ? residual_stage(network, stage, size)
                      : network.blocks_per_stage[stage] * network.features[stage] * volume(size);
  }
  for (std::size_t level = 0; level + 1 < stages; ++level) {
    // Decoder levels are counted from the bottom; level 0 sits above the bottleneck.
    const std::size_t stage = stages - 2 - level;
    const std::int64_t outputs =
        network.convs_per_decoder_level[level] + 1;  // and the transposed one
    total += outputs * network.features[stage] * volume(sizes[stage]);
  }
  return total + network.classes * volume(sizes[0]);
}

}  // namespace hepar
