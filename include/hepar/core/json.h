#pragma once
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace hepar {

/// Keys keep the order in which they were written: files read well and hash the same.
using Json = nlohmann::ordered_json;

/// Parses a JSON file. Throws DataError with file, line and column.
Json read_json(const std::filesystem::path& path);

/// Writes indented JSON atomically (core/files.h).
void write_json(const std::filesystem::path& path, const Json& value);

/// The value at `key` as T. Throws DataError "FILE: key 'a.b': wanted an integer, found …". `where`
/// names the file (and case) the object came from.
template <class T>
T json_get(const Json& object, const std::string& key, const std::string& where);

/// One JSON object per line, appended and flushed at once: metrics.jsonl and the like.
class JsonLines {
 public:
  explicit JsonLines(const std::filesystem::path& path);
  void append(const Json& record);

 private:
  std::filesystem::path path_;
  std::ofstream stream_;
};

namespace detail {
[[noreturn]] void json_field_error(const Json& object, const std::string& key,
                                   const std::string& where, const std::string& reason);
}

template <class T>
T json_get(const Json& object, const std::string& key, const std::string& where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) {
    detail::json_field_error(object, key, where, "is missing");
  }
  try {
    return found->template get<T>();
  } catch (const nlohmann::json::exception& e) {
    detail::json_field_error(object, key, where, e.what());
  }
}

}  // namespace hepar
