#pragma once
#include <hepar/core/random.h>
#include <hepar/data/patch.h>

#include <array>

namespace hepar {

/// A turn of the cube: axis i of the result runs along axis source[i] of the patch, from its end
/// where reversed[i].
struct RightAngles {
  std::array<int, 3> source{0, 1, 2};
  std::array<bool, 3> reversed{false, false, false};
};

/// The challenge winner's augmentation (staging.md §0, LNA-Dx): with chance 0.8 a quarter turn, an
/// exchange of axes and flips, each with chance 0.5; else nothing.
RightAngles draw_right_angles(RandomStream& random);

/// Image and labels turned; the size turns with them, no value changes.
Patch turned(const Patch& patch, const RightAngles& turn);

}  // namespace hepar
