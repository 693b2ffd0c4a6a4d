#include "sets/arrays.h"

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"

namespace hepar {
namespace {

constexpr std::int64_t kChunkBytes = 1 << 20;

std::vector<std::int64_t> dimensions(const Grid& grid) {
  return {grid.size.z, grid.size.y, grid.size.x};
}

}  // namespace

ArrayRecord write_array(const StoredImage& image, const std::string& dataset, ShardWriter& writer) {
  ArrayShape shape;
  shape.size = dimensions(image.grid);
  shape.type = image.type;
  const auto slice_bytes = static_cast<std::int64_t>(bytes_per_voxel(image.type)) *
                           image.grid.size.y * image.grid.size.x;
  const std::int64_t slices =
      std::clamp<std::int64_t>(kChunkBytes / slice_bytes, 1, image.grid.size.z);
  shape.chunk = {slices, image.grid.size.y, image.grid.size.x};
  ArrayRecord record;
  record.dataset = dataset;
  record.type = image.type;
  record.slope = image.slope;
  record.intercept = image.intercept;
  record.hash = writer.write(dataset, shape, image.voxels);
  return record;
}

StoredImage read_array(const ShardReader& reader, const ArrayRecord& record, const Grid& grid) {
  const std::string where = reader.path().string() + ":" + record.dataset;
  const ArrayShape& shape = reader.shape(record.dataset);
  require<DataError>(shape.size == dimensions(grid) && shape.type == record.type,
                     where + ": size or voxel type is not the one in the manifest");
  StoredImage image;
  image.grid = grid;
  image.type = record.type;
  image.slope = record.slope;
  image.intercept = record.intercept;
  image.voxels = reader.read(record.dataset);
  const std::string found = to_hex(xxh64(image.voxels));
  require<DataError>(found == record.hash, where + ": is damaged: wanted hash " + record.hash +
                                               ", found " + found + "; make the set again");
  return image;
}

Json case_to_json(const CaseRecord& record) {
  Manifest manifest;
  manifest.cases.push_back(record);
  return to_json(manifest).at("cases").at(0);
}

void IndexHash::add_case(const Json& record) {
  for (const Json& sequence : record.at("sequences")) {
    add(sequence.at("image"));
    if (!sequence.at("mask").is_null()) {
      add(sequence.at("mask"));
    }
  }
}

void IndexHash::add_case(const CaseRecord& record) {
  for (const SequenceRecord& sequence : record.sequences) {
    add(sequence.image);
    if (sequence.mask) {
      add(*sequence.mask);
    }
  }
}

std::string IndexHash::digest() const { return to_hex(xxh64(all_)); }

}  // namespace hepar
