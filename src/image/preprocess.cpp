#include <hepar/image/preprocess.h>

#include <hepar/core/error.h>
#include <hepar/image/resample.h>

#include <algorithm>
#include <string>
#include <utility>

#include "crop.h"
#include "normalize.h"

namespace hepar {
namespace {

std::string text(SizeVox size) {
  return std::to_string(size.z) + "x" + std::to_string(size.y) + "x" + std::to_string(size.x);
}

std::string text(SpacingMm s) {
  return std::to_string(s.z) + "x" + std::to_string(s.y) + "x" + std::to_string(s.x) + " mm";
}

void check_grid(const Grid& wanted, const Grid& found, const std::string& what) {
  require<DataError>(same_grid(wanted, found),
                     what + " lies on another grid than the first channel: wanted " +
                         text(wanted.size) + " voxels of " + text(wanted.spacing) +
                         " at its place, found " + text(found.size) + " of " + text(found.spacing) +
                         "; resample it to the image first");
}

void check_voxels(std::size_t voxels, const Grid& grid, const std::string& what) {
  require<DataError>(static_cast<std::int64_t>(voxels) == count(grid.size) && voxels > 0,
                     what + ": wanted " + text(grid.size) + " voxels (at least one), found " +
                         std::to_string(voxels));
}

void check_case(const std::vector<Image<float>>& channels, const LabelImage* labels,
                const PreprocessRule& rule, const std::string& where) {
  require<DataError>(!channels.empty() && channels.size() == rule.channels.size(),
                     where + ": the plan wants " + std::to_string(rule.channels.size()) +
                         " channels, found " + std::to_string(channels.size()));
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const std::string what = where + ": channel " + std::to_string(c);
    check_voxels(channels[c].voxels.size(), channels[c].grid, what);
    check_grid(channels[0].grid, channels[c].grid, what);
  }
  if (labels != nullptr) {
    check_voxels(labels->voxels.size(), labels->grid, where + ": mask");
    check_grid(channels[0].grid, labels->grid, where + ": mask");
  }
}

std::vector<std::span<const float>> spans_of(const std::vector<Image<float>>& channels) {
  std::vector<std::span<const float>> spans;
  for (const Image<float>& channel : channels) {
    spans.emplace_back(channel.voxels);
  }
  return spans;
}

// Background outside the non-zero region becomes −1 (nnU-Net); a label drawn out there stays.
void mark_outside(std::vector<std::int16_t>& labels, const std::vector<std::uint8_t>& inside) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0 && inside[i] == 0) {
      labels[i] = -1;
    }
  }
}

// Where a masked z-score counts: nnU-Net asks for labels >= 0 after the outside has been marked.
std::vector<std::uint8_t> counted(const std::vector<std::int16_t>& labels) {
  std::vector<std::uint8_t> mask(labels.size());
  std::transform(labels.begin(), labels.end(), mask.begin(),
                 [](std::int16_t label) { return static_cast<std::uint8_t>(label >= 0 ? 1 : 0); });
  return mask;
}

template <class T, class Resample>
std::vector<T> resampled(std::vector<T> voxels, const Resampling& how, Resample&& resample) {
  if (how.from == how.to) {
    return voxels;
  }
  std::vector<T> out(static_cast<std::size_t>(count(how.to)));
  resample(voxels, out, how);
  return out;
}

}  // namespace

PreparedImage preprocess(const std::vector<Image<float>>& channels, const LabelImage* labels,
                         const PreprocessRule& rule, int threads, const std::string& where) {
  check_case(channels, labels, rule, where);
  const Grid& grid = channels[0].grid;
  const std::vector<std::uint8_t> region = detail::nonzero_region(spans_of(channels), grid.size);
  require<DataError>(std::find(region.begin(), region.end(), std::uint8_t{1}) != region.end(),
                     where + ": wanted an image, found zero in every voxel of every channel");
  const BoxVox box = detail::permuted(detail::box_of(region, grid.size), rule.transpose);
  const auto cut = [&](const auto& voxels) {
    using T = typename std::decay_t<decltype(voxels)>::value_type;
    return detail::cut(std::span<const T>(voxels), grid.size, rule.transpose, box);
  };

  const SpacingMm spacing = detail::permuted(grid.spacing, rule.transpose);
  const Resampling how{.from = box.size,
                       .to = resampled_size(box.size, spacing, rule.spacing),
                       .separate_axis = separate_axis(spacing, rule.spacing),
                       .threads = threads};
  PreparedImage prepared;
  prepared.geometry = {.canonical = grid, .crop = box, .size = how.to, .transpose = rule.transpose};
  std::vector<std::uint8_t> inside = cut(region);
  if (labels != nullptr) {
    std::vector<std::int16_t> cropped = cut(labels->voxels);
    mark_outside(cropped, inside);
    inside = counted(cropped);
    prepared.labels = resampled(std::move(cropped), how, resample_labels);
  }
  for (std::size_t c = 0; c < channels.size(); ++c) {
    std::vector<float> cropped = cut(channels[c].voxels);
    detail::normalize(cropped, rule.channels[c], inside);
    prepared.channels.push_back(resampled(std::move(cropped), how, resample_cubic));
  }
  return prepared;
}

BoxVox nonzero_box(const std::vector<std::vector<float>>& channels, SizeVox size,
                   std::vector<std::uint8_t>* inside) {
  std::vector<std::span<const float>> spans;
  for (const std::vector<float>& channel : channels) {
    require<ShapeError>(static_cast<std::int64_t>(channel.size()) == count(size),
                        "nonzero_box: wanted " + std::to_string(count(size)) + " voxels, found " +
                            std::to_string(channel.size()));
    spans.emplace_back(channel);
  }
  std::vector<std::uint8_t> region = detail::nonzero_region(spans, size);
  const BoxVox box = detail::box_of(region, size);
  if (inside != nullptr) {
    *inside = std::move(region);
  }
  return box;
}

LabelImage restore_labels(const std::vector<std::int16_t>& cropped,
                          const PreparedGeometry& geometry) {
  const SizeVox size = geometry.canonical.size;
  const SizeVox planned = detail::permuted(size, geometry.transpose);
  for (int axis = 0; axis < 3; ++axis) {
    require<ShapeError>(geometry.crop.start[axis] >= 0 &&
                            geometry.crop.start[axis] + geometry.crop.size[axis] <= planned[axis],
                        "restore_labels: wanted a crop inside " + text(planned) +
                            ", found one that ends at " +
                            std::to_string(geometry.crop.start[axis] + geometry.crop.size[axis]) +
                            " on axis " + std::to_string(axis));
  }
  require<ShapeError>(static_cast<std::int64_t>(cropped.size()) == count(geometry.crop.size),
                      "restore_labels: wanted " + std::to_string(count(geometry.crop.size)) +
                          " voxels, found " + std::to_string(cropped.size()));
  LabelImage image{geometry.canonical,
                   std::vector<std::int16_t>(static_cast<std::size_t>(count(size)), 0)};
  detail::for_each_row(size, geometry.transpose, geometry.crop,
                       [&](std::int64_t source, std::int64_t step, std::int64_t target) {
                         for (std::int64_t x = 0; x < geometry.crop.size.x; ++x) {
                           image.voxels[static_cast<std::size_t>(source + x * step)] =
                               cropped[static_cast<std::size_t>(target + x)];
                         }
                       });
  return image;
}

}  // namespace hepar
