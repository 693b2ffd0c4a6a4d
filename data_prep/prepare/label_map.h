#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hepar/core/json.h"
#include "hepar/image/image.h"

namespace hepar {

/// A source's label values as the plan's classes, matched by name: what the plan has no class for
/// is background, `ignore` stays ignored.
class LabelMap {
 public:
  /// `from`: the source's names and values. A class called label<n>, of a plan made from numbers
  /// alone, takes the value n. Throws DataError "WHERE: …" when the source lacks a class.
  LabelMap(const std::map<std::string, int>& from, const std::vector<std::string>& classes,
           const std::string& where);

  /// In place. Throws DataError when a voxel has a value the source does not declare.
  void apply(LabelImage& labels, const std::string& where) const;
  /// {"liver": [6, 1], …}: the source's value and the prepared one, of what becomes foreground.
  [[nodiscard]] Json to_json() const;

 private:
  static constexpr std::int16_t kUndeclared = -2;
  static constexpr int kValues = 128;
  std::map<std::string, std::array<int, 2>> pairs_;
  std::array<std::int16_t, kValues> to_{};
};

/// The labels of a set prepared for these classes; with `ignore` above them when asked for.
std::map<std::string, int> prepared_labels(const std::vector<std::string>& classes, bool ignore);

}  // namespace hepar
