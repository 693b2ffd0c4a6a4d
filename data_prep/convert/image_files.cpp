#include "convert/image_files.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"
#include "hepar/image/dicom.h"
#include "hepar/image/nifti.h"
#include "hepar/image/png.h"
#include "sets/sharded_work.h"

namespace hepar {
namespace {

bool is_nifti_name(const fs::path& path) { return !nifti_stem(path).empty(); }

std::string describe(const Grid& grid) {
  std::array<char, 200> text{};
  std::snprintf(
      text.data(), text.size(),
      "%lld x %lld x %lld voxels (z, y, x) of %.4g x %.4g x %.4g mm at (%.2f, %.2f, %.2f)",
      static_cast<long long>(grid.size.z), static_cast<long long>(grid.size.y),
      static_cast<long long>(grid.size.x), grid.spacing.z, grid.spacing.y, grid.spacing.x,
      grid.origin.r, grid.origin.a, grid.origin.s);
  return text.data();
}

/// PNG slices carry no geometry: their number and size must be the image's.
StoredImage stack_on_grid(const SequenceListing& listing, PngStack stack, const Grid& grid) {
  const SizeVox found = stack.volume.grid.size;
  require<DataError>(found == grid.size,
                     listing.mask->string() + ": wanted " + std::to_string(grid.size.z) +
                         " masks of " + std::to_string(grid.size.y) + " x " +
                         std::to_string(grid.size.x) + " pixels as the slices of " +
                         listing.image.string() + ", found " + std::to_string(found.z) + " of " +
                         std::to_string(found.y) + " x " + std::to_string(found.x));
  stack.volume.grid = grid;
  if (listing.png_descending) {
    const auto slice = static_cast<std::ptrdiff_t>(grid.size.y * grid.size.x);
    auto low = stack.volume.voxels.begin();
    auto high = stack.volume.voxels.end() - slice;
    for (; low < high; low += slice, high -= slice) {
      std::swap_ranges(low, low + slice, high);
    }
  }
  return std::move(stack.volume);
}

/// Stored values to labels; a value that no rule names is refused.
void apply_rules(const std::vector<MaskValues>& rules, LabelImage& mask, const std::string& where) {
  std::string known;
  for (const MaskValues& rule : rules) {
    known += (known.empty() ? "" : ", ") + std::to_string(rule.low) +
             (rule.high > rule.low ? " to " + std::to_string(rule.high) : "");
  }
  for (std::int16_t& value : mask.voxels) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const MaskValues& candidate) {
      return value >= candidate.low && value <= candidate.high;
    });
    if (rule == rules.end()) {  // no require(): its text would be made for every voxel
      throw DataError(where + ": wanted the values " + known + ", found " + std::to_string(value));
    }
    value = static_cast<std::int16_t>(rule->label);
  }
}

}  // namespace

StoredImage read_image(const fs::path& path) {
  return is_nifti_name(path) ? read_nifti(path) : read_dicom(path);
}

StoredImage read_image_header(const fs::path& path) {
  return is_nifti_name(path) ? read_nifti_header(path) : read_dicom_header(path);
}

void require_same_grid(const Grid& wanted, const Grid& found, const std::string& where) {
  if (same_grid(wanted, found)) {
    return;
  }
  const bool turned = describe(wanted) == describe(found);
  throw DataError(where + ": lies on another grid: wanted " + describe(wanted) + ", found " +
                  (turned ? "the same with other axis directions" : describe(found)) +
                  "; resample it onto its image first");
}

LabelImage read_mask(const SequenceListing& listing, const Grid& grid) {
  const std::string where = listing.mask->string();
  bool one_bit = false;
  LabelImage mask;
  if (fs::is_directory(*listing.mask)) {
    PngStack stack = read_png_stack(*listing.mask);
    one_bit = stack.bits == 1;
    mask = to_labels(stack_on_grid(listing, std::move(stack), grid), where);
  } else {
    mask = to_labels(read_image(*listing.mask), where);
    require_same_grid(grid, mask.grid, where);
  }
  if (!listing.mask_values.empty() && !one_bit) {  // one bit says the organ itself
    apply_rules(listing.mask_values, mask, where);
  }
  mask.grid = grid;
  return mask;
}

std::string stamp_of_image(const fs::path& path) {
  if (!fs::is_directory(path)) {
    return stamp_of(path);
  }
  std::vector<std::string> stamps;
  for (const auto& entry : fs::directory_iterator(path)) {
    stamps.push_back(entry.path().filename().string() + "=" + stamp_of(entry.path()));
  }
  std::sort(stamps.begin(), stamps.end());
  return to_hex(xxh64(join(stamps, "\n")));
}

}  // namespace hepar
