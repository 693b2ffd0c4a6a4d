#pragma once
#include <hepar/core/json.h>

#include <filesystem>
#include <map>
#include <string>

namespace hepar {

/// A YAML document without types: maps are objects (order kept), sequences arrays, every scalar the
/// text as it was written, nothing null. Who knows a value's type reads it (ConfigSchema::set).
struct YamlDocument {
  Json value;
  std::map<std::string, int> lines;  ///< line of each key, by dotted path
  std::string where;                 ///< file name, for messages

  /// "FILE:LINE" of a key; "FILE" when it is not in the file (set from the command line).
  [[nodiscard]] std::string place(const std::string& path) const;
};

/// Throws ConfigError naming file and line: not YAML, a key given twice.
YamlDocument read_yaml_document(const std::filesystem::path& path);
YamlDocument parse_yaml_document(const std::string& text, const std::string& where);

}  // namespace hepar
