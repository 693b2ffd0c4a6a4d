#include "json_fields.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "hepar/core/error.h"

namespace hepar {

namespace {

/// A value as an error shows it: hostile files may hold megabytes, and bytes that are not UTF-8.
std::string shown(const Json& value) {
  constexpr std::size_t kShown = 60;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShown) {
    text.resize(kShown);
    text.append("…");
  }
  return text;
}

bool is_integer_within(const Json& value, JsonFields::Limits limits) {
  if (!value.is_number_integer()) {
    return false;
  }
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return false;
  }
  const auto number = value.get<std::int64_t>();
  return number >= limits.low && number <= limits.high;
}

std::string describe_limits(JsonFields::Limits limits) {
  return "from " + std::to_string(limits.low) + " to " + std::to_string(limits.high);
}

bool is_name(const std::string& text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

}  // namespace

JsonFields::JsonFields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  require<DataError>(object.is_object(), where_ + ": wanted a JSON object, found " + shown(object));
}

void JsonFields::fail(const std::string& key, const std::string& wanted) const {
  const auto found = object_.find(key);
  throw DataError(where_ + ": key '" + key + "': wanted " + wanted + ", found " +
                  (found == object_.end() ? "nothing" : shown(*found)));
}

bool JsonFields::has(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

const Json& JsonFields::at(const std::string& key) const {
  const auto found = object_.find(key);
  if (found == object_.end()) {
    fail(key, "a value");
  }
  return *found;
}

std::string JsonFields::text(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_string()) {
    fail(key, "a text");
  }
  return value.get<std::string>();
}

std::string JsonFields::name(const std::string& key) const {
  const std::string value = text(key);
  if (!is_name(value)) {
    fail(key, "a name that is not empty and has no control characters");
  }
  return value;
}

std::string JsonFields::inner_path(const std::string& key) const {
  const std::string value = name(key);
  const std::filesystem::path path(value);
  if (path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end()) {
    fail(key, "a path inside the data set's folder");
  }
  return value;
}

std::string JsonFields::hash(const std::string& key) const {
  const std::string value = text(key);
  if (value.size() != 16 || value.find_first_not_of("0123456789abcdef") != std::string::npos) {
    fail(key, "an xxh64 of 16 hexadecimal digits");
  }
  return value;
}

bool JsonFields::boolean(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_boolean()) {
    fail(key, "true or false");
  }
  return value.get<bool>();
}

std::int64_t JsonFields::integer(const std::string& key, Limits limits) const {
  const Json& value = at(key);
  if (!is_integer_within(value, limits)) {
    fail(key, "an integer " + describe_limits(limits));
  }
  return value.get<std::int64_t>();
}

double JsonFields::number(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    fail(key, "a finite number");
  }
  return value.get<double>();
}

const Json& JsonFields::array(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_array()) {
    fail(key, "a list");
  }
  return value;
}

const Json& JsonFields::object(const std::string& key) const {
  const Json& value = at(key);
  if (!value.is_object()) {
    fail(key, "an object");
  }
  return value;
}

std::vector<std::int64_t> JsonFields::integers(const std::string& key, std::size_t n,
                                               Limits limits) const {
  std::vector<std::int64_t> values;
  for (const Json& value : array(key)) {
    if (!is_integer_within(value, limits)) {
      fail(key, "integers " + describe_limits(limits));
    }
    values.push_back(value.get<std::int64_t>());
  }
  if (values.size() != n) {
    fail(key, "a list of " + std::to_string(n) + " integers");
  }
  return values;
}

std::vector<double> JsonFields::numbers(const std::string& key, std::size_t n) const {
  std::vector<double> values;
  for (const Json& value : array(key)) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      fail(key, "finite numbers");
    }
    values.push_back(value.get<double>());
  }
  if (values.size() != n) {
    fail(key, "a list of " + std::to_string(n) + " numbers");
  }
  return values;
}

std::map<std::string, int> labels_from_json(const JsonFields& fields, const std::string& key) {
  const JsonFields object(fields.object(key), fields.where() + ": " + key);
  std::map<std::string, int> labels;
  std::set<int> values;
  for (const auto& [label, value] : fields.object(key).items()) {
    labels[label] = static_cast<int>(object.integer(label, {0, 127}));
    if (!is_name(label) || !values.insert(labels[label]).second) {
      object.fail(label, "a name and a value of its own");
    }
  }
  return labels;
}

void write_json_checked(const std::filesystem::path& path, const Json& json) {
  try {
    write_json(path, json);
  } catch (const nlohmann::json::exception& e) {
    throw DataError(path.string() + ": a text in it cannot be written as JSON: " + e.what());
  }
}

}  // namespace hepar
