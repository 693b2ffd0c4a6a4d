#include "experiment/problems.h"

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::detail {

void Problems::add(const std::string& text) {
  if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) {
    texts_.push_back(text);
  }
}

void Problems::throw_if_any() const { require<ConfigError>(texts_.empty(), join(texts_, "\n")); }

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  if (!near.empty()) {
    return "; did you mean '" + near + "'?";
  }
  return known.empty() ? "" : " (known: " + join(known, ", ") + ")";
}

}  // namespace hepar::detail
