#pragma once
#include <string>
#include <vector>

namespace hepar::detail {

/// What is wrong with an experiment, each thing once, thrown together.
class Problems {
 public:
  void add(const std::string& text);
  [[nodiscard]] bool empty() const { return texts_.empty(); }
  /// Throws ConfigError with all of them, one a line; nothing when there are none.
  void throw_if_any() const;

 private:
  std::vector<std::string> texts_;
};

/// "; did you mean 'x'?", or " (known: a, b)" when nothing is near.
std::string suggestion(const std::string& word, const std::vector<std::string>& known);

}  // namespace hepar::detail
