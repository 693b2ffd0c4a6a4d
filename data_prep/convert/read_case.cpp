#include "convert/read_case.h"

#include <algorithm>
#include <array>

#include "convert/image_files.h"
#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"
#include "hepar/image/orientation.h"

namespace hepar {
namespace {

std::string allowed(const std::map<std::string, int>& labels) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : labels) {
    parts.push_back(std::to_string(value) + " (" + name + ")");
  }
  std::sort(parts.begin(), parts.end());
  return join(parts, ", ");
}

/// uint8 copy of a mask whose values are all known.
StoredImage checked_mask(const LabelImage& image, const std::map<std::string, int>& labels,
                         const std::string& where) {
  std::array<bool, 256> known{};
  for (const auto& entry : labels) {
    known.at(static_cast<std::size_t>(entry.second)) = true;
  }
  StoredImage mask;
  mask.grid = image.grid;
  mask.type = VoxelType::kUint8;
  mask.voxels.resize(image.voxels.size());
  std::map<int, std::int64_t> unknown;
  for (std::size_t i = 0; i < image.voxels.size(); ++i) {
    const std::int16_t value = image.voxels[i];
    if (value < 0 || value > 255 || !known[static_cast<std::size_t>(value)]) {
      ++unknown[value];
    } else {
      mask.voxels[i] = static_cast<std::byte>(value);
    }
  }
  if (!unknown.empty()) {
    const auto& [value, voxels] = *unknown.begin();
    throw DataError(where + ": wanted the labels " + allowed(labels) + ", found " +
                    std::to_string(value) + " in " + std::to_string(voxels) + " voxels" +
                    (unknown.size() > 1
                         ? " and " + std::to_string(unknown.size() - 1) + " other unknown values"
                         : ""));
  }
  return mask;
}

std::string hash_of_values(const StoredImage& stored, const std::string& where) {
  const Image<float> image = to_float(stored, where);
  Xxh64 hash;
  const std::array<std::int64_t, 3> size{image.grid.size.z, image.grid.size.y, image.grid.size.x};
  hash.update(std::as_bytes(std::span(size)));
  hash.update(std::as_bytes(std::span(image.voxels)));
  return to_hex(hash.digest());
}

std::string relative_name(const fs::path& file, const fs::path& in) {
  const fs::path folder = fs::is_directory(in) ? in : in.parent_path();
  const fs::path relative = fs::absolute(file).lexically_normal().lexically_relative(
      fs::absolute(folder).lexically_normal());
  return relative.empty() ? file.string() : relative.string();
}

ReadSequence read_sequence(const SequenceListing& listing, const ReadRule& rule) {
  ReadSequence read;
  StoredImage image = read_image(listing.image);
  const Reorientation how = to_canonical(image.grid);
  if (listing.mask) {
    const StoredImage checked =
        checked_mask(read_mask(listing, image.grid), rule.labels, listing.mask->string());
    read.mask = reorient(checked, how);
  }
  read.image = reorient(image, how);
  read.decoded_hash = hash_of_values(read.image, listing.image.string());
  read.record.sequence = listing.sequence;
  read.record.grid = read.image.grid;
  read.record.source_axis = how.source_axis;
  read.record.flipped = how.flipped;
  read.record.source_file = relative_name(listing.image, rule.in);
  read.record.notes = listing.notes;
  read.record.notes.insert(read.record.notes.end(), image.notes.begin(), image.notes.end());
  return read;
}

/// Sequences that share one mask (the echoes of CHAOS T1-DUAL) must lie on one grid. Looks at the
/// sequence read last.
void require_shared_mask_fits(const CaseListing& listing, const ReadCase& read) {
  const SequenceListing& last = listing.sequences.at(read.sequences.size() - 1);
  for (std::size_t i = 0; last.mask && i + 1 < read.sequences.size(); ++i) {
    if (listing.sequences[i].mask == last.mask) {
      require_same_grid(
          read.sequences[i].record.grid, read.sequences.back().record.grid,
          last.image.string() + ": shares a mask with " + listing.sequences[i].sequence);
    }
  }
}

}  // namespace

ReadCase read_case(const CaseListing& listing, const ReadRule& rule) {
  ReadCase read;
  for (const SequenceListing& sequence : listing.sequences) {
    try {
      read.sequences.push_back(read_sequence(sequence, rule));
      if (listing.one_grid) {
        require_same_grid(read.sequences.front().record.grid, read.sequences.back().record.grid,
                          sequence.image.string());
      }
      require_shared_mask_fits(listing, read);
    } catch (const std::exception& e) {
      read.problems.emplace_back(e.what());
    }
  }
  return read;
}

}  // namespace hepar
