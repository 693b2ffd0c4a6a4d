#include "hepar/core/json.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar {

Json read_json(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    throw DataError(path.string() + ": not valid JSON: " + e.what());
  }
}

void write_json(const std::filesystem::path& path, const Json& value) {
  write_atomically(path, value.dump(1) + "\n");
}

JsonLines::JsonLines(const std::filesystem::path& path)
    : path_(path), stream_(path, std::ios::app) {
  require<DataError>(stream_.good(), path.string() + ": cannot be opened for appending");
}

void JsonLines::append(const Json& record) {
  stream_ << record.dump() << '\n' << std::flush;
  require<DataError>(stream_.good(), path_.string() + ": writing failed; is the disk full?");
}

namespace detail {

void json_field_error(const Json& object, const std::string& key, const std::string& where,
                      const std::string& reason) {
  if (!object.is_object()) {
    throw DataError(where + ": wanted an object with the key '" + key + "', found " +
                    object.type_name());
  }
  throw DataError(where + ": key '" + key + "': " + reason);
}

}  // namespace detail
}  // namespace hepar
