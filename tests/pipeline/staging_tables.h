#pragma once
#include <hepar/core/files.h>
#include <hepar/core/random.h>
#include <support/temporary.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace hepar::test {

/// Writes CSVs into a folder of its own and names them.
class Tables {
 public:
  std::string write(const std::string& name, const std::vector<std::string>& lines) const {
    std::string text;
    for (const std::string& line : lines) {
      text += line + "\n";
    }
    write_atomically(folder_.path() / name, text);
    return path(name);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }

 private:
  TemporaryFolder folder_;
};

struct CohortSpec {
  int patients = 60, folds = 5, seeds = 1;
  std::uint64_t random_seed = 1;
  double noise = 1.2;
  int label_shift_fold = -1;  ///< the stages of this fold are dealt anew among its patients
};

/// "case,stage,q4,q1,domain,fold,seed" of patients whose scores follow the stage, with noise.
inline std::vector<std::string> cohort_lines(const CohortSpec& spec) {
  static constexpr std::array<const char*, 4> kDomains{"A", "B1", "B2", "C"};
  std::vector<std::string> lines{"case,stage,q4,q1,domain,fold,seed"};
  const auto squash = [](double x) { return std::round(1e4 / (1 + std::exp(-x))) / 1e4; };
  for (int i = 0; i < spec.patients; ++i) {
    const int stage = 1 + i % 4;
    const int fold = (i / 4) % spec.folds;
    const int shown = fold == spec.label_shift_fold ? 1 + (stage + i / 8) % 4 : stage;
    for (int seed = 0; seed < spec.seeds; ++seed) {
      RandomStream random({.seed = spec.random_seed,
                           .purpose = Purpose::kTest,
                           .step = static_cast<std::uint64_t>(i),
                           .slot = static_cast<std::uint32_t>(seed)});
      const double q4 = squash(stage - 3.3 + spec.noise * random.normal());
      const double q1 = squash(1.7 - stage + spec.noise * random.normal());
      lines.push_back("p" + std::to_string(100 + i) + "," + std::to_string(shown) + "," +
                      std::to_string(q4) + "," + std::to_string(q1) + "," +
                      kDomains[static_cast<std::size_t>(i * 7 / 4 % 4)] + "," +
                      std::to_string(fold) + "," + std::to_string(seed));
    }
  }
  return lines;
}

/// The named columns only.
inline std::vector<std::string> without_last_columns(std::vector<std::string> lines, int count) {
  for (std::string& line : lines) {
    for (int c = 0; c < count; ++c) {
      line.erase(line.rfind(','));
    }
  }
  return lines;
}

/// What an action throws, or nothing.
template <class Exception, class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace hepar::test
