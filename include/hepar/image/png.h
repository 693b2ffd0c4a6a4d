#pragma once
#include <hepar/image/image.h>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace hepar {

/// A grey PNG of 1 or 8 bits, values as stored: 0 and 1 for one bit, never stretched to 255.
struct GreyPng {
  std::int64_t rows = 0, columns = 0;
  int bits = 8;
  std::vector<std::uint8_t> pixels;  ///< row by row
};

/// Throws DataError: not a PNG, cut short, damaged, colour, another depth.
GreyPng read_png(const std::filesystem::path& path);

/// A folder of PNG files, one a slice, as a uint8 volume on a grid of 1 mm; slices in the order of
/// the last number in the file names ("liver_GT_9.png" before "liver_GT_10.png"; it need not begin
/// at 1 or count by 1).
struct PngStack {
  StoredImage volume;
  int bits = 8;
};
/// Throws DataError: no PNG in the folder, other files, a name without a number, one number twice,
/// slices of different size or depth.
PngStack read_png_stack(const std::filesystem::path& folder);

/// Writes an 8-bit grey PNG atomically; equal pixels give equal bytes. Throws DataError.
void write_png(const std::filesystem::path& path, const GreyPng& image);

}  // namespace hepar
