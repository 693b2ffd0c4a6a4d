#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace hepar::detail {

/// Which runs of a fitting table belong to a scored run: that of the same seed, or else all.
inline std::vector<std::size_t> source_runs(const std::vector<std::int64_t>& seeds,
                                            std::int64_t seed) {
  const auto found = std::find(seeds.begin(), seeds.end(), seed);
  if (found != seeds.end()) {
    return {static_cast<std::size_t>(found - seeds.begin())};
  }
  std::vector<std::size_t> all(seeds.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

}  // namespace hepar::detail
