#include "phantom/scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace hepar::phantom {

double auc(const ScoredPatients& patients) {
  std::vector<std::size_t> order(patients.score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return patients.score[a] < patients.score[b]; });
  double ranks = 0;
  double positives = 0;
  for (std::size_t from = 0, to = 0; from < order.size(); from = to) {
    while (to < order.size() && patients.score[order[to]] == patients.score[order[from]]) {
      ++to;
    }
    const double middle = static_cast<double>(from + to + 1) / 2;
    for (std::size_t i = from; i < to; ++i) {
      if (patients.positive[order[i]]) {
        ranks += middle;
        ++positives;
      }
    }
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

double chance_standard_error(const ScoredPatients& patients) {
  const auto positives =
      static_cast<double>(std::count(patients.positive.begin(), patients.positive.end(), true));
  const double negatives = static_cast<double>(patients.positive.size()) - positives;
  return std::sqrt((positives + negatives + 1) / (12 * positives * negatives));
}

namespace {

// Components that grow as voxels are added, with the count of liver voxels in each.
class GrowingComponents {
 public:
  explicit GrowingComponents(std::size_t voxels)
      : parent_(voxels, kAbsent), size_(voxels), liver_(voxels) {}

  [[nodiscard]] bool has(std::size_t voxel) const { return parent_[voxel] != kAbsent; }

  void add(std::size_t voxel, bool liver) {
    parent_[voxel] = static_cast<std::uint32_t>(voxel);
    size_[voxel] = 1;
    liver_[voxel] = liver ? 1 : 0;
    keep_largest(voxel);
  }

  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    if (a == b) {
      return;
    }
    if (size_[a] < size_[b]) {
      std::swap(a, b);
    }
    parent_[b] = static_cast<std::uint32_t>(a);
    size_[a] += size_[b];
    liver_[a] += liver_[b];
    keep_largest(a);
  }

  [[nodiscard]] double dice_of_largest(double truth) const {
    const std::size_t largest = root_of(largest_);
    return 2.0 * liver_[largest] / (size_[largest] + truth);
  }

 private:
  static constexpr std::uint32_t kAbsent = 0xFFFFFFFFU;

  [[nodiscard]] std::size_t root_of(std::size_t voxel) const {
    while (parent_[voxel] != voxel) {
      voxel = parent_[voxel];
    }
    return voxel;
  }
  std::size_t root(std::size_t voxel) {
    while (parent_[voxel] != voxel) {
      parent_[voxel] = parent_[parent_[voxel]];
      voxel = parent_[voxel];
    }
    return voxel;
  }
  void keep_largest(std::size_t root) {
    if (size_[root] >= largest_size_) {
      largest_ = root;
      largest_size_ = size_[root];
    }
  }

  std::vector<std::uint32_t> parent_, size_, liver_;
  std::size_t largest_ = 0;
  std::uint32_t largest_size_ = 0;
};

// Joins a voxel to those of its 26 neighbours that are already there.
void join_neighbours(GrowingComponents& components, std::size_t voxel, SizeVox size) {
  const auto index = static_cast<std::int64_t>(voxel);
  const OffsetVox at{index / (size.y * size.x), index / size.x % size.y, index % size.x};
  for (std::int64_t z = std::max<std::int64_t>(at.z - 1, 0); z <= std::min(at.z + 1, size.z - 1);
       ++z) {
    for (std::int64_t y = std::max<std::int64_t>(at.y - 1, 0); y <= std::min(at.y + 1, size.y - 1);
         ++y) {
      for (std::int64_t x = std::max<std::int64_t>(at.x - 1, 0);
           x <= std::min(at.x + 1, size.x - 1); ++x) {
        const auto other = static_cast<std::size_t>(linear_index(size, {z, y, x}));
        if (components.has(other)) {
          components.join(voxel, other);
        }
      }
    }
  }
}

double best_dice_in_order(const std::vector<std::uint32_t>& order,
                          std::span<const std::int16_t> voxels, std::span<const std::uint8_t> mask,
                          SizeVox size) {
  const auto truth = static_cast<double>(std::count(mask.begin(), mask.end(), 1));
  GrowingComponents components(voxels.size());
  double best = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    components.add(order[i], mask[order[i]] != 0);
    join_neighbours(components, order[i], size);
    if (i + 1 == order.size() || voxels[order[i + 1]] != voxels[order[i]]) {
      best = std::max(best, components.dice_of_largest(truth));
    }
  }
  return best;
}

}  // namespace

double best_threshold_dice(std::span<const std::int16_t> voxels, std::span<const std::uint8_t> mask,
                           SizeVox size) {
  std::vector<std::uint32_t> order(voxels.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return voxels[a] > voxels[b]; });
  const double above = best_dice_in_order(order, voxels, mask, size);
  std::reverse(order.begin(), order.end());
  return std::max(above, best_dice_in_order(order, voxels, mask, size));
}

namespace {

struct Moments {
  double n = 0, sum = 0, squares = 0;
  void add(double value) {
    ++n;
    sum += value;
    squares += value * value;
  }
  [[nodiscard]] double mean() const { return n > 0 ? sum / n : 0; }
  [[nodiscard]] double sd() const {
    return n > 0 ? std::sqrt(std::max(0.0, squares / n - mean() * mean())) : 0;
  }
};

// Variogram ratio: differences of neighbours against differences four voxels apart. Smooth
// structure makes the first small; bias and gain hardly touch it.
double neighbour_score(std::span<const std::int16_t> voxels, std::span<const std::uint8_t> mask,
                       SizeVox size) {
  Moments near, far;
  for (std::size_t i = 0; i + 4 < voxels.size(); ++i) {
    const std::int64_t x = static_cast<std::int64_t>(i) % size.x;
    if (x + 4 < size.x && mask[i] != 0 && mask[i + 1] != 0 && mask[i + 2] != 0 &&
        mask[i + 3] != 0 && mask[i + 4] != 0) {
      near.add(voxels[i + 1] - voxels[i]);
      far.add(voxels[i + 4] - voxels[i]);
    }
  }
  return far.sd() > 0 ? 1 - near.sd() * near.sd() / (far.sd() * far.sd()) : 0;
}

}  // namespace

RegionStatistics region_statistics(std::span<const std::int16_t> voxels,
                                   std::span<const std::uint8_t> mask, const Grid& grid) {
  const SizeVox size = grid.size;
  Moments inside;
  double faces = 0;
  OffsetVox low{size.z, size.y, size.x};
  OffsetVox high{-1, -1, -1};
  const std::array<std::int64_t, 3> step{size.y * size.x, size.x, 1};
  for (OffsetVox at; at.z < size.z; ++at.z) {
    for (at.y = 0; at.y < size.y; ++at.y) {
      for (at.x = 0; at.x < size.x; ++at.x) {
        const std::int64_t i = linear_index(size, at);
        if (mask[static_cast<std::size_t>(i)] == 0) {
          continue;
        }
        inside.add(voxels[static_cast<std::size_t>(i)]);
        for (int axis = 0; axis < 3; ++axis) {
          low[axis] = std::min(low[axis], at[axis]);
          high[axis] = std::max(high[axis], at[axis]);
          const bool first = at[axis] == 0 || mask[static_cast<std::size_t>(i - step[axis])] == 0;
          const bool last =
              at[axis] + 1 == size[axis] || mask[static_cast<std::size_t>(i + step[axis])] == 0;
          faces += (first ? 1 : 0) + (last ? 1 : 0);
        }
      }
    }
  }
  Moments box;
  for (OffsetVox at = low; at.z <= high.z; ++at.z) {
    for (at.y = low.y; at.y <= high.y; ++at.y) {
      for (at.x = low.x; at.x <= high.x; ++at.x) {
        box.add(voxels[static_cast<std::size_t>(linear_index(size, at))]);
      }
    }
  }
  const double voxel_ml = grid.spacing.z * grid.spacing.y * grid.spacing.x / 1000;
  return {.mean = inside.mean(),
          .sd = inside.sd(),
          .neighbours = neighbour_score(voxels, mask, size),
          .volume_ml = inside.n * voxel_ml,
          .box_ml = box.n * voxel_ml,
          .box_mean = box.mean(),
          .box_sd = box.sd(),
          .compactness = inside.n > 0 ? faces / std::cbrt(inside.n * inside.n) : 0};
}

}  // namespace hepar::phantom
