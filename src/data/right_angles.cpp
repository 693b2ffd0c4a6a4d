#include "right_angles.h"

#include <array>
#include <utility>

namespace hepar {
namespace {

constexpr double kOuter = 0.8;
constexpr double kEach = 0.5;

/// By 90°, 180° or 270° in one of the three planes.
void add_quarter_turns(RightAngles& turn, RandomStream& random) {
  const auto axis = static_cast<std::size_t>(random.integer(3));
  const std::size_t a = (axis + 1) % 3;
  const std::size_t b = (axis + 2) % 3;
  const std::int64_t quarters = 1 + random.integer(3);
  for (std::int64_t i = 0; i < quarters; ++i) {
    std::swap(turn.source[a], turn.source[b]);
    std::swap(turn.reversed[a], turn.reversed[b]);
    turn.reversed[a] = !turn.reversed[a];
  }
}

void exchange_axes(RightAngles& turn, RandomStream& random) {
  for (std::size_t i = 2; i > 0; --i) {
    const auto j = static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(i) + 1));
    std::swap(turn.source[i], turn.source[j]);
    std::swap(turn.reversed[i], turn.reversed[j]);
  }
}

/// Where the result's first voxel lies in the patch, and the step in it along each of its axes.
struct Walk {
  std::int64_t start = 0;
  std::array<std::int64_t, 3> step{};
};

Walk walk_of(SizeVox size, const RightAngles& turn) {
  const std::array<std::int64_t, 3> strides{size.y * size.x, size.x, 1};
  Walk walk;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto from = static_cast<std::size_t>(turn.source[i]);
    walk.step[i] = turn.reversed[i] ? -strides[from] : strides[from];
    walk.start += turn.reversed[i] ? (size[turn.source[i]] - 1) * strides[from] : 0;
  }
  return walk;
}

template <class T>
void copy_turned(const T* from, T* to, SizeVox result, const Walk& walk) {
  for (std::int64_t z = 0; z < result.z; ++z) {
    for (std::int64_t y = 0; y < result.y; ++y) {
      const T* line = from + walk.start + z * walk.step[0] + y * walk.step[1];
      for (std::int64_t x = 0; x < result.x; ++x) {
        *to++ = line[x * walk.step[2]];
      }
    }
  }
}

}  // namespace

RightAngles draw_right_angles(RandomStream& random) {
  RightAngles turn;
  if (!random.chance(kOuter)) {
    return turn;
  }
  if (random.chance(kEach)) {
    add_quarter_turns(turn, random);
  }
  if (random.chance(kEach)) {
    exchange_axes(turn, random);
  }
  for (bool& reversed : turn.reversed) {
    reversed = random.chance(kEach) != reversed;
  }
  return turn;
}

Patch turned(const Patch& patch, const RightAngles& turn) {
  Patch result;
  result.channels = patch.channels;
  for (int i = 0; i < 3; ++i) {
    result.size[i] = patch.size[turn.source[static_cast<std::size_t>(i)]];
  }
  result.image.resize(patch.image.size());
  result.labels.resize(patch.labels.size());
  const Walk walk = walk_of(patch.size, turn);
  const std::int64_t voxels = count(patch.size);
  for (int c = 0; c < patch.channels; ++c) {
    copy_turned(patch.image.data() + c * voxels, result.image.data() + c * voxels, result.size,
                walk);
  }
  copy_turned(patch.labels.data(), result.labels.data(), result.size, walk);
  return result;
}

}  // namespace hepar
