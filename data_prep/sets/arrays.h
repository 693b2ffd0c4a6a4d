#pragma once
#include <string>
#include <vector>

#include "hepar/image/image.h"
#include "hepar/io/manifest.h"
#include "hepar/io/shard.h"

namespace hepar {

/// Writes a whole volume in chunks of about 1 MiB of whole slices; its record has type, slope and
/// hash.
ArrayRecord write_array(const StoredImage& image, const std::string& dataset, ShardWriter& writer);

/// The volume of a record, on `grid`. Throws DataError when shape, type or hash are not the
/// record's.
StoredImage read_array(const ShardReader& reader, const ArrayRecord& record, const Grid& grid);

/// A case alone, as it will stand in manifest.json.
Json case_to_json(const CaseRecord& record);

/// Hash of a shard's index: xxh64 over its arrays' hashes, image before mask, in the order of
/// cases.
class IndexHash {
 public:
  void add(const ArrayRecord& record) { all_ += record.hash; }
  void add(const Json& array) { all_ += array.at("hash").get<std::string>(); }
  void add_case(const Json& record);
  void add_case(const CaseRecord& record);
  [[nodiscard]] std::string digest() const;

 private:
  std::string all_;
};

}  // namespace hepar
