#include "hepar/pipeline/voi.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "hepar/core/error.h"
#include "hepar/core/median.h"
#include "hepar/image/components.h"
#include "hepar/image/regrid.h"

namespace hepar {
namespace {

/// Calls visit(z, y, x) for every voxel of the liver.
template <class Visit>
void for_each_voxel(const LabelImage& mask, Visit&& visit) {
  const SizeVox size = mask.grid.size;
  std::size_t i = 0;
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x, ++i) {
        if (mask.voxels[i] > 0) {
          visit(z, y, x);
        }
      }
    }
  }
}

double voxel_ml(const Grid& grid) {
  constexpr double kMm3PerMl = 1000;
  return grid.spacing.z * grid.spacing.y * grid.spacing.x / kMm3PerMl;
}

std::vector<std::uint8_t> binary(const LabelImage& mask) {
  std::vector<std::uint8_t> voxels(mask.voxels.size());
  std::transform(mask.voxels.begin(), mask.voxels.end(), voxels.begin(),
                 [](std::int16_t label) { return static_cast<std::uint8_t>(label > 0); });
  return voxels;
}

/// Measures the mask and, if asked to, keeps its largest component only.
MaskFigures measure(LabelImage& mask, bool largest_component) {
  MaskFigures figures;
  std::vector<std::uint8_t> voxels = binary(mask);
  const Components components = connected_components(voxels, mask.grid.size, Connectivity::kFull26);
  std::int64_t all = 0;
  std::int64_t largest = 0;
  for (const std::int64_t size : components.sizes) {
    all += size;
    largest = std::max(largest, size);
  }
  if (all == 0) {
    return figures;
  }
  figures.component_share = static_cast<double>(largest) / static_cast<double>(all);
  if (largest_component) {
    keep_largest_component(voxels, mask.grid.size);
    std::copy(voxels.begin(), voxels.end(), mask.voxels.begin());
  }
  double n = 0;
  double z_sum = 0, y_sum = 0, x_sum = 0;
  for_each_voxel(mask, [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    n += 1;
    z_sum += static_cast<double>(z);
    y_sum += static_cast<double>(y);
    x_sum += static_cast<double>(x);
  });
  figures.volume_ml = n * voxel_ml(mask.grid);
  figures.centroid = to_world(mask.grid, z_sum / n, y_sum / n, x_sum / n);
  return figures;
}

double distance(const WorldMm& a, const WorldMm& b) {
  return std::hypot(a.r - b.r, a.a - b.a, a.s - b.s);
}

WorldMm median_point(const std::vector<WorldMm>& points) {
  std::vector<double> r, a, s;
  for (const WorldMm& point : points) {
    r.push_back(point.r);
    a.push_back(point.a);
    s.push_back(point.s);
  }
  return {median(r), median(a), median(s)};
}

std::vector<std::string> size_flags(const MaskFigures& figures, const VoiRule& rule) {
  if (!figures.centroid) {
    return {"empty mask"};
  }
  std::vector<std::string> flags;
  if (figures.volume_ml < rule.volume_ml[0] || figures.volume_ml > rule.volume_ml[1]) {
    flags.emplace_back("volume");
  }
  if (figures.component_share < rule.min_component_share) {
    flags.emplace_back("component share");
  }
  return flags;
}

/// The others' median needs two of them: of two sequences that disagree neither is known to be
/// wrong.
void check_centroids(std::vector<Voi>& vois, const VoiRule& rule) {
  std::vector<bool> plausible;
  for (const Voi& voi : vois) {
    plausible.push_back(voi.flags.empty());
  }
  for (std::size_t i = 0; i < vois.size(); ++i) {
    std::vector<WorldMm> others;
    for (std::size_t j = 0; j < vois.size(); ++j) {
      if (j != i && plausible[j]) {
        others.push_back(*vois[j].figures.centroid);
      }
    }
    if (others.empty() || !vois[i].figures.centroid) {
      continue;
    }
    vois[i].figures.centroid_offset_mm = distance(*vois[i].figures.centroid, median_point(others));
    if (others.size() >= 2 && plausible[i] &&
        *vois[i].figures.centroid_offset_mm > rule.max_centroid_mm) {
      vois[i].flags.emplace_back("centroid");
    }
  }
}

WorldMm centre_of(const Grid& grid) {
  return to_world(grid, static_cast<double>(grid.size.z - 1) / 2,
                  static_cast<double>(grid.size.y - 1) / 2,
                  static_cast<double>(grid.size.x - 1) / 2);
}

/// The plausible sibling whose liver is nearest to the middle of this sequence's volume.
const SegmentedSequence* sibling(const std::vector<SegmentedSequence>& sequences,
                                 const std::vector<Voi>& vois, std::size_t of) {
  const WorldMm centre = centre_of(sequences[of].mask.grid);
  const SegmentedSequence* nearest = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < sequences.size(); ++j) {
    if (j == of || vois[j].kind != VoiMask::kOwn) {
      continue;
    }
    const double here = distance(*vois[j].figures.centroid, centre);
    if (here < least) {
      least = here;
      nearest = &sequences[j];
    }
  }
  return nearest;
}

/// Cuts the box about its centre to at most rule.max_size.
void cut(Voi& voi, const VoiRule& rule) {
  voi.found = voi.box;
  if (rule.max_size.empty()) {
    return;
  }
  bool was_cut = false;
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t most = rule.max_size[static_cast<std::size_t>(axis)];
    const std::int64_t excess = voi.box.size[axis] - most;
    if (excess > 0) {
      voi.box.start[axis] += excess / 2;
      voi.box.size[axis] = most;
      was_cut = true;
    }
  }
  if (was_cut) {
    voi.flags.emplace_back("cut to max_size");
  }
}

void fall_back(Voi& voi, const SegmentedSequence* from, const Grid& grid, const VoiRule& rule,
               int threads) {
  voi.mask = {grid, std::vector<std::int16_t>(static_cast<std::size_t>(count(grid.size)), 0)};
  voi.box = {{0, 0, 0}, grid.size};
  if (from == nullptr) {
    return;
  }
  LabelImage carried = regrid_nearest(from->mask, grid, threads);
  const auto margin = static_cast<std::int64_t>(std::ceil(rule.carry_margin_mm / rule.spacing_mm));
  const std::optional<BoxVox> box = mask_box(carried, margin, margin);
  if (box) {  // else the sibling's liver lies outside of this volume
    voi.kind = VoiMask::kCarried;
    voi.carried_from = from->sequence;
    voi.mask = std::move(carried);
    voi.box = *box;
  }
}

void check_rule(const VoiRule& rule) {
  require<ConfigError>(rule.volume_ml.size() == 2 && rule.volume_ml[0] < rule.volume_ml[1],
                       "volume_ml: wanted two ascending values");
  require<ConfigError>(rule.max_size.empty() || rule.max_size.size() == 3,
                       "max_size: wanted three sizes (z, y, x) or none, found " +
                           std::to_string(rule.max_size.size()));
}

}  // namespace

void VoiRule::declare(ConfigSchema& schema) {
  schema.add("spacing_mm", spacing_mm, "Edge of the volumes' cubic voxels, mm",
             Range{.low = 0.1, .high = 20});
  schema.add("margin_low", margin_low, "Voxels around the mask's box, towards index 0",
             Range{.low = 0});
  schema.add("margin_high", margin_high, "Voxels around the mask's box, at the other end",
             Range{.low = 0});
  schema.add("max_size", max_size,
             "Larger boxes are cut about their centre to this many voxels (z, y, x)",
             Range{.low = 1});
  schema.add("largest_component", largest_component,
             "Keep each mask's largest component only (26-connected)");
  schema.add("volume_ml", volume_ml, "Smallest and largest plausible liver, ml", Range{.low = 0});
  schema.add("min_component_share", min_component_share,
             "Share of the largest component in a plausible mask", Range{.low = 0, .high = 1});
  schema.add("max_centroid_mm", max_centroid_mm,
             "Farthest from the median of the patient's other sequences, mm", Range{.low = 0});
  schema.add("carry_margin_mm", carry_margin_mm,
             "Around the box of a mask carried over from another sequence, mm", Range{.low = 0});
}

std::string to_string(VoiMask kind) {
  return kind == VoiMask::kOwn ? "own" : (kind == VoiMask::kCarried ? "carried" : "none");
}

std::optional<BoxVox> mask_box(const LabelImage& mask, std::int64_t low, std::int64_t high) {
  OffsetVox first{std::numeric_limits<std::int64_t>::max(), 0, 0};
  OffsetVox last;
  for_each_voxel(mask, [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    if (first.z == std::numeric_limits<std::int64_t>::max()) {
      first = last = {z, y, x};
    }
    first = {std::min(first.z, z), std::min(first.y, y), std::min(first.x, x)};
    last = {std::max(last.z, z), std::max(last.y, y), std::max(last.x, x)};
  });
  if (first.z == std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  BoxVox box;
  for (int axis = 0; axis < 3; ++axis) {
    box.start[axis] = std::max<std::int64_t>(0, first[axis] - low);
    const std::int64_t end = std::min(mask.grid.size[axis], last[axis] + 1 + high);
    box.size[axis] = end - box.start[axis];
  }
  return box;
}

std::vector<Voi> choose_vois(const std::vector<SegmentedSequence>& sequences, const VoiRule& rule,
                             int threads) {
  check_rule(rule);
  std::vector<SegmentedSequence> cleaned = sequences;
  std::vector<Voi> vois(cleaned.size());
  for (std::size_t i = 0; i < cleaned.size(); ++i) {
    vois[i].figures = measure(cleaned[i].mask, rule.largest_component);
    vois[i].flags = size_flags(vois[i].figures, rule);
  }
  check_centroids(vois, rule);
  for (Voi& voi : vois) {
    voi.kind = voi.flags.empty() ? VoiMask::kOwn : VoiMask::kNone;
  }
  for (std::size_t i = 0; i < cleaned.size(); ++i) {
    if (vois[i].kind == VoiMask::kOwn) {
      vois[i].mask = cleaned[i].mask;
      vois[i].box = *mask_box(cleaned[i].mask, rule.margin_low, rule.margin_high);
    } else {
      fall_back(vois[i], sibling(cleaned, vois, i), cleaned[i].mask.grid, rule, threads);
    }
    cut(vois[i], rule);
  }
  return vois;
}

namespace {

/// Calls visit(linear index in the image) for the voxels of the box, in order.
template <class Visit>
void for_each_in(const BoxVox& box, SizeVox size, Visit&& visit) {
  for (std::int64_t z = 0; z < box.size.z; ++z) {
    for (std::int64_t y = 0; y < box.size.y; ++y) {
      const std::int64_t row = linear_index(size, {box.start.z + z, box.start.y + y, box.start.x});
      for (std::int64_t x = 0; x < box.size.x; ++x) {
        visit(static_cast<std::size_t>(row + x));
      }
    }
  }
}

}  // namespace

std::vector<float> standardised_crop(const Image<float>& image, const BoxVox& box) {
  constexpr double kSmallestSd = 1e-8;  // a constant image becomes zeros
  const auto n = static_cast<double>(count(box.size));
  double sum = 0;
  for_each_in(box, image.grid.size,
              [&](std::size_t i) { sum += static_cast<double>(image.voxels[i]); });
  const double mean = sum / n;
  double squares = 0;
  for_each_in(box, image.grid.size, [&](std::size_t i) {
    const double off = static_cast<double>(image.voxels[i]) - mean;
    squares += off * off;
  });
  const double sd = std::max(std::sqrt(squares / n), kSmallestSd);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(n));
  for_each_in(box, image.grid.size, [&](std::size_t i) {
    values.push_back(static_cast<float>((static_cast<double>(image.voxels[i]) - mean) / sd));
  });
  return values;
}

std::vector<std::int16_t> crop_labels(const LabelImage& mask, const BoxVox& box) {
  std::vector<std::int16_t> labels;
  labels.reserve(static_cast<std::size_t>(count(box.size)));
  for_each_in(box, mask.grid.size, [&](std::size_t i) {
    labels.push_back(static_cast<std::int16_t>(mask.voxels[i] > 0));
  });
  return labels;
}

std::optional<double> box_recall(const LabelImage& truth, const BoxVox& box) {
  std::int64_t inside = 0;
  std::int64_t all = 0;
  for_each_voxel(truth, [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    ++all;
    const OffsetVox at{z, y, x};
    bool in = true;
    for (int axis = 0; axis < 3; ++axis) {
      in = in && at[axis] >= box.start[axis] && at[axis] < box.start[axis] + box.size[axis];
    }
    inside += in ? 1 : 0;
  });
  if (all == 0) {
    return std::nullopt;
  }
  return static_cast<double>(inside) / static_cast<double>(all);
}

}  // namespace hepar
