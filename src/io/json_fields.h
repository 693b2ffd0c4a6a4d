#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hepar/core/json.h"

namespace hepar {

/// One JSON object whose fields are read strictly: the right type, in range, finite. Everything
/// throws DataError "WHERE: key 'k': wanted …, found …". Refers to the JSON, which must outlive it.
class JsonFields {
 public:
  /// Limits of an integer, both allowed.
  struct Limits {
    std::int64_t low;
    std::int64_t high;
  };

  JsonFields(const Json& object, std::string where);

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] bool has(const std::string& key) const;
  /// The field itself.
  [[nodiscard]] const Json& at(const std::string& key) const;
  [[nodiscard]] std::string text(const std::string& key) const;
  /// Text that is not empty and has no control characters: ids, names.
  [[nodiscard]] std::string name(const std::string& key) const;
  /// A path inside the data set's folder: relative, without "..".
  [[nodiscard]] std::string inner_path(const std::string& key) const;
  /// 16 lower-case hexadecimal digits.
  [[nodiscard]] std::string hash(const std::string& key) const;
  [[nodiscard]] bool boolean(const std::string& key) const;
  [[nodiscard]] std::int64_t integer(const std::string& key, Limits limits) const;
  [[nodiscard]] double number(const std::string& key) const;
  [[nodiscard]] const Json& array(const std::string& key) const;
  [[nodiscard]] const Json& object(const std::string& key) const;
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key, std::size_t n,
                                                   Limits limits) const;
  [[nodiscard]] std::vector<double> numbers(const std::string& key, std::size_t n) const;

  /// Throws DataError "WHERE: key 'k': wanted …, found …".
  [[noreturn]] void fail(const std::string& key, const std::string& wanted) const;

 private:
  const Json& object_;
  std::string where_;
};

/// "name" -> value pairs with value in 0…127, "background" 0 or absent. Throws DataError.
std::map<std::string, int> labels_from_json(const JsonFields& fields, const std::string& key);

/// write_json that reports text which is not UTF-8 (an id from a file name) as DataError.
void write_json_checked(const std::filesystem::path& path, const Json& json);

}  // namespace hepar
