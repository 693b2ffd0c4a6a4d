#include "voxel_scan.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace hepar {

std::string voxel_position(SizeVox size, std::size_t i) {
  const auto index = static_cast<std::int64_t>(i);
  const std::int64_t z = index / (size.y * size.x);
  const std::int64_t y = index / size.x % size.y;
  const std::int64_t x = index % size.x;
  std::string text = "(";  // appended to: GCC 12 warns wrongly about "(" + std::string
  return text.append(std::to_string(z) + "," + std::to_string(y) + "," + std::to_string(x) + ")");
}

std::string describe_value(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

std::optional<std::size_t> first_non_finite(const StoredImage& image) {
  return with_voxel_type(image.type, [&](auto zero) -> std::optional<std::size_t> {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      const std::size_t n = image.voxels.size() / sizeof(T);
      for (std::size_t i = 0; i < n; ++i) {
        T value;
        std::memcpy(&value, image.voxels.data() + i * sizeof(T), sizeof(T));
        if (!std::isfinite(value)) {
          return i;
        }
      }
    }
    return std::nullopt;
  });
}

}  // namespace hepar
