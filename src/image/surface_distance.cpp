#include <hepar/core/error.h>
#include <hepar/image/segmentation_metrics.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <itkSignedMaurerDistanceMapImageFilter.h>
#include "itk_volume.h"

namespace hepar {
namespace {

void check_size(std::span<const std::uint8_t> mask, SizeVox size, const char* what) {
  require<ShapeError>(static_cast<std::int64_t>(mask.size()) == count(size),
                      std::string(what) + ": wanted " + std::to_string(count(size)) +
                          " voxels, found " + std::to_string(mask.size()));
}

// Bounding box of the voxels set in either mask; empty size when there are none.
BoxVox union_box(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, SizeVox size) {
  OffsetVox low{size.z, size.y, size.x};
  OffsetVox high{-1, -1, -1};
  std::size_t i = 0;
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      std::int64_t first = size.x;
      std::int64_t last = -1;
      for (std::int64_t x = 0; x < size.x; ++x, ++i) {
        if ((a[i] | b[i]) != 0) {
          first = std::min(first, x);
          last = x;
        }
      }
      if (last >= 0) {
        low = {std::min(low.z, z), std::min(low.y, y), std::min(low.x, first)};
        high = {std::max(high.z, z), std::max(high.y, y), std::max(high.x, last)};
      }
    }
  }
  return high.z < 0 ? BoxVox{}
                    : BoxVox{low, {high.z - low.z + 1, high.y - low.y + 1, high.x - low.x + 1}};
}

// The box with one voxel of background around it, as a dense 0/1 array: every neighbour then
// exists.
std::vector<std::uint8_t> cut_with_margin(std::span<const std::uint8_t> mask, SizeVox size,
                                          const BoxVox& box) {
  const SizeVox padded{box.size.z + 2, box.size.y + 2, box.size.x + 2};
  std::vector<std::uint8_t> out(static_cast<std::size_t>(count(padded)), 0);
  for (std::int64_t z = 0; z < box.size.z; ++z) {
    for (std::int64_t y = 0; y < box.size.y; ++y) {
      const std::int64_t source =
          linear_index(size, {box.start.z + z, box.start.y + y, box.start.x});
      const std::int64_t target = linear_index(padded, {z + 1, y + 1, 1});
      for (std::int64_t x = 0; x < box.size.x; ++x) {
        out[static_cast<std::size_t>(target + x)] =
            mask[static_cast<std::size_t>(source + x)] != 0 ? 1 : 0;
      }
    }
  }
  return out;
}

// Surface voxels of a mask that has a margin of background.
std::vector<std::int64_t> surface_inside_margin(const std::vector<std::uint8_t>& mask,
                                                SizeVox size) {
  const std::int64_t row = size.x;
  const std::int64_t slice = size.y * size.x;
  std::vector<std::int64_t> surface;
  const std::uint8_t* m = mask.data();
  for (std::int64_t i = slice; i + slice < count(size); ++i) {
    if (m[i] != 0 &&
        (m[i - 1] & m[i + 1] & m[i - row] & m[i + row] & m[i - slice] & m[i + slice]) == 0) {
      surface.push_back(i);
    }
  }
  return surface;
}

// Distance in mm of every voxel to the nearest voxel of `surface`. Each surface voxel has a
// neighbour that is none, so all of them lie on the contour from which ITK's Maurer filter
// measures.
itk::Image<double, 3>::Pointer distance_map(const std::vector<std::int64_t>& surface, SizeVox size,
                                            SpacingMm spacing) {
  std::vector<std::uint8_t> set(static_cast<std::size_t>(count(size)), 0);
  for (const std::int64_t i : surface) {
    set[static_cast<std::size_t>(i)] = 1;
  }
  using Filter =
      itk::SignedMaurerDistanceMapImageFilter<itk::Image<std::uint8_t, 3>, itk::Image<double, 3>>;
  auto filter = Filter::New();
  filter->SetInput(detail::borrow_as_itk(std::span<const std::uint8_t>(set), size, spacing));
  filter->SetUseImageSpacing(true);
  filter->SetSquaredDistance(false);
  filter->SetNumberOfWorkUnits(1);  // cases are scored side by side, not one case by many threads
  filter->Update();
  return filter->GetOutput();
}

}  // namespace

std::vector<std::int64_t> surface_voxels(std::span<const std::uint8_t> mask, SizeVox size) {
  check_size(mask, size, "surface_voxels");
  const BoxVox box = union_box(mask, mask, size);
  if (count(box.size) == 0) {
    return {};
  }
  const SizeVox padded{box.size.z + 2, box.size.y + 2, box.size.x + 2};
  std::vector<std::int64_t> surface =
      surface_inside_margin(cut_with_margin(mask, size, box), padded);
  for (std::int64_t& i : surface) {
    const OffsetVox at{i / (padded.y * padded.x), i / padded.x % padded.y, i % padded.x};
    i = linear_index(size,
                     {at.z - 1 + box.start.z, at.y - 1 + box.start.y, at.x - 1 + box.start.x});
  }
  return surface;
}

std::vector<double> surface_distances(std::span<const std::uint8_t> from,
                                      std::span<const std::uint8_t> to, SizeVox size,
                                      SpacingMm spacing) {
  check_size(from, size, "surface_distances (from)");
  check_size(to, size, "surface_distances (to)");
  const BoxVox box = union_box(from, to, size);
  if (count(box.size) == 0) {
    return {};
  }
  const SizeVox padded{box.size.z + 2, box.size.y + 2, box.size.x + 2};
  const auto targets = surface_inside_margin(cut_with_margin(to, size, box), padded);
  require<DataError>(!targets.empty(),
                     "surface_distances: wanted a mask to measure to, found an empty one");
  const auto map = distance_map(targets, padded, spacing);
  const double* distance = map->GetBufferPointer();
  std::vector<double> result;
  for (const std::int64_t i : surface_inside_margin(cut_with_margin(from, size, box), padded)) {
    result.push_back(std::abs(distance[i]));
  }
  return result;
}

}  // namespace hepar
