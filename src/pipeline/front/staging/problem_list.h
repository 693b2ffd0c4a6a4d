#pragma once
#include <hepar/core/error.h>
#include <hepar/core/text.h>

#include <cstddef>
#include <string>
#include <vector>

namespace hepar::detail {

/// Collects what is wrong with an input, so that a user sees all of it at once.
class ProblemList {
 public:
  void add(const std::string& text) {
    ++count_;
    if (texts_.size() < kMost) {
      texts_.push_back(text);
    }
  }

  /// Throws DataError with the first problems and the number of others, if there are any.
  void refuse() const {
    const std::string more =
        count_ > texts_.size() ? "\nand " + std::to_string(count_ - texts_.size()) + " more" : "";
    require<DataError>(texts_.empty(), join(texts_, "\n") + more);
  }

 private:
  static constexpr std::size_t kMost = 20;
  std::size_t count_ = 0;
  std::vector<std::string> texts_;
};

}  // namespace hepar::detail
