#include "crop.h"

#include <algorithm>

namespace hepar::detail {
namespace {

constexpr std::uint8_t kUnknown = 0;  // zero voxel, not yet reached from the border
constexpr std::uint8_t kInside = 1;   // not zero
constexpr std::uint8_t kOutside = 2;  // zero and joined to the border

// Floods the background from the border of the image, run by run along x.
class BorderFlood {
 public:
  BorderFlood(std::vector<std::uint8_t>& state, SizeVox size) : state_(state), size_(size) {}

  void run() {
    for (std::int64_t z = 0; z < size_.z; ++z) {
      for (std::int64_t y = 0; y < size_.y; ++y) {
        const bool border = z == 0 || z == size_.z - 1 || y == 0 || y == size_.y - 1;
        const std::int64_t row = (z * size_.y + y) * size_.x;
        for (std::int64_t x = 0; x < size_.x;
             x += border ? 1 : std::max<std::int64_t>(1, size_.x - 1)) {
          flood(row + x);
        }
      }
    }
  }

 private:
  void flood(std::int64_t seed) {
    pending_.push_back(seed);
    while (!pending_.empty()) {
      const std::int64_t at = pending_.back();
      pending_.pop_back();
      if (state_[static_cast<std::size_t>(at)] == kUnknown) {
        fill_run(at);
      }
    }
  }

  void fill_run(std::int64_t at) {
    const std::int64_t row = at - at % size_.x;
    std::int64_t first = at;
    std::int64_t last = at;
    while (first > row && state_[static_cast<std::size_t>(first - 1)] == kUnknown) {
      --first;
    }
    while (last + 1 < row + size_.x && state_[static_cast<std::size_t>(last + 1)] == kUnknown) {
      ++last;
    }
    std::fill(state_.begin() + first, state_.begin() + last + 1, kOutside);
    const std::int64_t y = row / size_.x % size_.y;
    const std::int64_t z = row / size_.x / size_.y;
    const std::int64_t slice = size_.y * size_.x;
    if (y > 0) {
      seed_runs(first - size_.x, last - size_.x);
    }
    if (y + 1 < size_.y) {
      seed_runs(first + size_.x, last + size_.x);
    }
    if (z > 0) {
      seed_runs(first - slice, last - slice);
    }
    if (z + 1 < size_.z) {
      seed_runs(first + slice, last + slice);
    }
  }

  // One seed for every run of unknown voxels that begins in [first, last] of a neighbouring row.
  void seed_runs(std::int64_t first, std::int64_t last) {
    bool in_run = false;
    for (std::int64_t i = first; i <= last; ++i) {
      const bool unknown = state_[static_cast<std::size_t>(i)] == kUnknown;
      if (unknown && !in_run) {
        pending_.push_back(i);
      }
      in_run = unknown;
    }
  }

  std::vector<std::uint8_t>& state_;
  SizeVox size_;
  std::vector<std::int64_t> pending_;
};

}  // namespace

std::vector<std::uint8_t> nonzero_region(const std::vector<std::span<const float>>& channels,
                                         SizeVox size) {
  std::vector<std::uint8_t> state(static_cast<std::size_t>(count(size)), kUnknown);
  for (const std::span<const float> channel : channels) {
    for (std::size_t i = 0; i < state.size(); ++i) {
      state[i] |= static_cast<std::uint8_t>(channel[i] != 0.0F ? kInside : kUnknown);
    }
  }
  BorderFlood(state, size).run();
  for (std::uint8_t& voxel : state) {
    voxel = voxel == kOutside ? 0 : 1;
  }
  return state;
}

BoxVox box_of(const std::vector<std::uint8_t>& mask, SizeVox size) {
  OffsetVox low{size.z, size.y, size.x};
  OffsetVox high{-1, -1, -1};
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      const auto row = mask.begin() + (z * size.y + y) * size.x;
      const auto first = std::find(row, row + size.x, std::uint8_t{1});
      if (first == row + size.x) {
        continue;
      }
      std::int64_t last = size.x - 1;
      while (row[last] == 0) {
        --last;
      }
      low = {std::min(low.z, z), std::min(low.y, y), std::min<std::int64_t>(low.x, first - row)};
      high = {std::max(high.z, z), std::max(high.y, y), std::max(high.x, last)};
    }
  }
  if (high.z < 0) {
    return {{}, size};
  }
  return {low, {high.z - low.z + 1, high.y - low.y + 1, high.x - low.x + 1}};
}

}  // namespace hepar::detail
