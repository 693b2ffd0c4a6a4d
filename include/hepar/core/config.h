#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/json.h>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace hepar {

using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                                 std::vector<double>, std::vector<std::string>>;

/// Whether a key can change the numbers a run produces. Paths, devices, ranks and logging do not;
/// the identity of a trial is the hash of the keys that do.
enum class Effect { kResult, kNone };

/// What one declared key is and how to reach the field behind it.
struct ConfigKey {
  std::string path;   ///< dotted: "train.steps"
  std::string help;   ///< one sentence, with the unit
  std::string range;  ///< "> 0", "tree | fast"; empty when anything goes
  Effect effect = Effect::kResult;
  ConfigValue initial;  ///< the default; its type is the key's type
  std::function<ConfigValue()> get;
  std::function<void(const ConfigValue&)> set;  ///< throws ConfigError when out of range
};

/// Inclusive limits of a number; leave either at its default for no limit.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

namespace detail {
// Field types <-> ConfigValue. Any type without a specialisation fails to compile at its
// declaration.
template <class T>
struct ConfigField;
}  // namespace detail

/// Every key of a configuration, declared once beside the code that reads it:
///
///   struct OptimConfig {
///     double lr = 0.01;
///     void declare(ConfigSchema& schema) {
///       schema.add("lr", lr, "Initial learning rate", Range{.low = 0});
///     }
///   };
///
/// The schema holds references into the struct it was built from, which must outlive it.
class ConfigSchema {
 public:
  template <class T>
  void add(const std::string& name, T& field, const std::string& help, Range range = {},
           Effect effect = Effect::kResult);

  /// A text key that takes one of `choices`.
  void add_choice(const std::string& name, std::string& field, std::vector<std::string> choices,
                  const std::string& help, Effect effect = Effect::kResult);

  /// A nested struct: its keys are "name.key".
  template <class Section>
  void section(const std::string& name, Section& config) {
    const std::string outer = prefix_;
    prefix_ += name + ".";
    config.declare(*this);
    prefix_ = outer;
  }

  [[nodiscard]] const std::vector<ConfigKey>& keys() const { return keys_; }

  /// Reads a YAML file over the current values. Unknown keys (with the nearest known one), wrong
  /// types and values out of range are all collected and thrown as one ConfigError naming file and
  /// line.
  void read_yaml(const std::filesystem::path& path);
  /// The same for YAML text; `where` names its origin in messages.
  void read_yaml_text(const std::string& text, const std::string& where);
  /// Applies one "a.b=value" (value in YAML syntax). Throws ConfigError.
  void set(const std::string& assignment);

  /// The resolved configuration as YAML (every key, current values) and as JSON.
  [[nodiscard]] std::string to_yaml() const;
  [[nodiscard]] Json to_json() const;
  /// The keys whose effect is kResult and whose value differs from the one in `defaults` (the same
  /// schema over a default-constructed struct), sorted, for hashing.
  [[nodiscard]] Json result_keys(const ConfigSchema& defaults) const;
  /// One aligned line a key: name, default, range, help.
  [[nodiscard]] std::string help() const;

 private:
  void add_key(ConfigKey key);

  std::string prefix_;
  std::vector<ConfigKey> keys_;
};

/// result_keys() of a configuration against its type's defaults.
template <class Config>
Json result_keys(Config config) {
  Config defaults;
  ConfigSchema now, initial;
  config.declare(now);
  defaults.declare(initial);
  return now.result_keys(initial);
}

/// "range" as shown in help and errors.
std::string describe(const Range& range);
/// Throws ConfigError "KEY: wanted RANGE, found VALUE" when outside.
void check_range(const std::string& path, double value, const Range& range);

namespace detail {

template <class T, class V>
struct ScalarField {
  static ConfigValue get(const T& field) { return static_cast<V>(field); }
  static void set(T& field, const ConfigValue& value) {
    field = static_cast<T>(std::get<V>(value));
  }
};
template <>
struct ConfigField<bool> : ScalarField<bool, bool> {};
template <>
struct ConfigField<int> : ScalarField<int, std::int64_t> {};
template <>
struct ConfigField<std::int64_t> : ScalarField<std::int64_t, std::int64_t> {};
template <>
struct ConfigField<std::uint64_t> : ScalarField<std::uint64_t, std::int64_t> {};
template <>
struct ConfigField<double> : ScalarField<double, double> {};
template <>
struct ConfigField<std::string> : ScalarField<std::string, std::string> {};
template <>
struct ConfigField<std::vector<std::int64_t>>
    : ScalarField<std::vector<std::int64_t>, std::vector<std::int64_t>> {};
template <>
struct ConfigField<std::vector<double>> : ScalarField<std::vector<double>, std::vector<double>> {};
template <>
struct ConfigField<std::vector<std::string>>
    : ScalarField<std::vector<std::string>, std::vector<std::string>> {};

/// Numbers of a value, for range checks; none for texts and booleans.
std::vector<double> numbers_of(const ConfigValue& value);

}  // namespace detail

template <class T>
void ConfigSchema::add(const std::string& name, T& field, const std::string& help, Range range,
                       Effect effect) {
  ConfigKey key;
  key.path = prefix_ + name;
  key.help = help;
  key.range = describe(range);
  key.effect = effect;
  key.initial = detail::ConfigField<T>::get(field);
  T* target = &field;
  key.get = [target] { return detail::ConfigField<T>::get(*target); };
  key.set = [target, range, path = key.path](const ConfigValue& value) {
    for (double number : detail::numbers_of(value)) {
      check_range(path, number, range);
    }
    detail::ConfigField<T>::set(*target, value);
  };
  add_key(std::move(key));
}

}  // namespace hepar
