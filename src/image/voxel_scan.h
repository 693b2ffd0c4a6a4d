#pragma once
#include <cstddef>
#include <optional>
#include <string>

#include "hepar/image/image.h"

namespace hepar {

/// "(z,y,x)" of the voxel at linear index `i`, for messages.
std::string voxel_position(SizeVox size, std::size_t i);

/// "nan", "inf", "-inf" or the shortest decimal that gives the value back.
std::string describe_value(double value);

/// Linear index of the first stored nan or infinity; integer types have none.
std::optional<std::size_t> first_non_finite(const StoredImage& image);

}  // namespace hepar
