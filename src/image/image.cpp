#include "hepar/image/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "hepar/core/error.h"
#include "voxel_scan.h"

namespace hepar {
namespace {

/// How far a scaled value may lie from an integer and still be that label: slope and intercept are
/// float32 in NIfTI-1, so a label that was scaled comes back with their rounding.
constexpr double kLabelTolerance = 1e-4;

void require_consistent(const StoredImage& image, const std::string& where) {
  const auto wanted =
      static_cast<std::uint64_t>(count(image.grid.size)) * bytes_per_voxel(image.type);
  require<DataError>(image.voxels.size() == wanted, where + ": wanted " + std::to_string(wanted) +
                                                        " bytes of " + to_string(image.type) +
                                                        " voxels, found " +
                                                        std::to_string(image.voxels.size()));
}

/// Calls visit(i, value) with the real value of every voxel, in memory order.
template <class Visit>
void for_each_value(const StoredImage& image, Visit visit) {
  const bool scaled = image.slope != 1.0 || image.intercept != 0.0;
  with_voxel_type(image.type, [&](auto zero) {
    using T = decltype(zero);
    const std::size_t n = image.voxels.size() / sizeof(T);
    for (std::size_t i = 0; i < n; ++i) {
      T stored;
      std::memcpy(&stored, image.voxels.data() + i * sizeof(T), sizeof(T));
      const auto value = static_cast<double>(stored);
      visit(i, scaled ? value * image.slope + image.intercept : value);
    }
  });
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!values.empty()) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return bytes;
}

/// Labels as T, which the caller knows to hold them all.
template <class T>
std::vector<std::byte> stored_as(const std::vector<std::int16_t>& labels) {
  std::vector<T> stored(labels.size());
  std::transform(labels.begin(), labels.end(), stored.begin(),
                 [](std::int16_t label) { return static_cast<T>(label); });
  return bytes_of(stored);
}

}  // namespace

Image<float> to_float(const StoredImage& image, const std::string& where) {
  require_consistent(image, where);
  Image<float> result{image.grid,
                      std::vector<float>(static_cast<std::size_t>(count(image.grid.size)))};
  for_each_value(image, [&](std::size_t i, double value) {
    const auto rounded = static_cast<float>(value);
    if (!std::isfinite(rounded)) {
      throw DataError(where + ": voxel " + voxel_position(image.grid.size, i) + " is " +
                      describe_value(value) +
                      ", wanted a finite float32; correct the file or leave the case out");
    }
    result.voxels[i] = rounded;
  });
  return result;
}

LabelImage to_labels(const StoredImage& image, const std::string& where) {
  require_consistent(image, where);
  LabelImage result{image.grid,
                    std::vector<std::int16_t>(static_cast<std::size_t>(count(image.grid.size)))};
  using Limits = std::numeric_limits<std::int16_t>;
  for_each_value(image, [&](std::size_t i, double value) {
    const double nearest = std::nearbyint(value);
    // Written so that a nan fails it.
    const bool is_label = std::abs(value - nearest) <= kLabelTolerance &&
                          nearest >= Limits::min() && nearest <= Limits::max();
    if (!is_label) {
      throw DataError(where + ": voxel " + voxel_position(image.grid.size, i) + " is " +
                      describe_value(value) +
                      ", wanted an integer label between -32768 and 32767; is this a label map?");
    }
    result.voxels[i] = static_cast<std::int16_t>(nearest);
  });
  return result;
}

StoredImage from_labels(const LabelImage& labels) {
  StoredImage image;
  image.grid = labels.grid;
  const auto [low, high] = std::minmax_element(labels.voxels.begin(), labels.voxels.end());
  const bool empty = labels.voxels.empty();
  if (empty || (*low >= 0 && *high <= std::numeric_limits<std::uint8_t>::max())) {
    image.type = VoxelType::kUint8;
    image.voxels = stored_as<std::uint8_t>(labels.voxels);
  } else if (*low >= 0) {
    image.type = VoxelType::kUint16;
    image.voxels = stored_as<std::uint16_t>(labels.voxels);
  } else {
    image.type = VoxelType::kInt16;
    image.voxels = bytes_of(labels.voxels);
  }
  return image;
}

StoredImage from_float(const Image<float>& image) {
  StoredImage stored;
  stored.grid = image.grid;
  stored.type = VoxelType::kFloat32;
  stored.voxels = bytes_of(image.voxels);
  return stored;
}

}  // namespace hepar
