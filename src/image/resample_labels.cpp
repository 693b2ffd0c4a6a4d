#include <hepar/core/error.h>
#include <hepar/core/parallel.h>
#include <hepar/image/resample.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "bspline.h"

namespace hepar {
namespace {

// The two input samples between which an output sample lies, and their weights.
struct Pair {
  std::array<std::int64_t, 2> at{};
  std::array<double, 2> weight{1, 0};
};

std::vector<Pair> pairs_of(std::int64_t from, std::int64_t to, bool nearest) {
  std::vector<Pair> pairs(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    Pair& pair = pairs[static_cast<std::size_t>(i)];
    if (nearest) {
      const std::int64_t source = detail::nearest_source(from, to, i);
      pair.at = {source, source};
      continue;
    }
    const double at =
        std::clamp(detail::source_position(from, to, i), 0.0, static_cast<double>(from - 1));
    const double low = std::floor(at);
    pair.at[0] = static_cast<std::int64_t>(low);
    pair.at[1] = std::min(from - 1, pair.at[0] + 1);
    pair.weight = {1 - (at - low), at - low};
  }
  return pairs;
}

struct Vote {
  std::int16_t label;
  double weight;
};

// What resampling every label's one-hot image linearly and assigning the labels in ascending order
// where they reach one half leaves in this voxel: the highest label with at least half of the
// weight, else 0. Weights are added in the order in which a linear interpolation in double
// precision adds them.
std::int16_t decide(const std::array<Vote, 8>& votes) {
  std::int16_t winner = 0;
  bool won = false;
  for (const Vote& candidate : votes) {
    if (won && candidate.label <= winner) {
      continue;
    }
    double sum = 0;
    for (const Vote& vote : votes) {
      sum += vote.label == candidate.label ? vote.weight : 0;
    }
    if (sum >= 0.5) {
      winner = candidate.label;
      won = true;
    }
  }
  return winner;
}

// One output row from the four input rows around it.
class RowResampler {
 public:
  RowResampler(std::span<const std::int16_t> in, SizeVox size)
      : in_(in), size_(size), alike_(size.x) {}

  void run(const Pair& z, const Pair& y, const std::vector<Pair>& xs, std::int16_t* out) {
    load(z, y);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const std::int64_t a = xs[i].at[0];
      const std::int64_t b = xs[i].at[1];
      const bool uniform = alike_[a] != 0 && alike_[b] != 0 && rows_[0][a] == rows_[0][b];
      out[i] = uniform ? rows_[0][a] : decide(votes(z, y, xs[i]));
    }
  }

 private:
  // Marks the columns in which all four rows agree: most of an image needs no vote at all.
  void load(const Pair& z, const Pair& y) {
    for (std::size_t r = 0; r < 4; ++r) {
      rows_[r] = in_.data() + (z.at[r / 2] * size_.y + y.at[r % 2]) * size_.x;
    }
    for (std::int64_t x = 0; x < size_.x; ++x) {
      const int differs =
          (rows_[0][x] ^ rows_[1][x]) | (rows_[0][x] ^ rows_[2][x]) | (rows_[0][x] ^ rows_[3][x]);
      alike_[x] = static_cast<std::uint8_t>(differs == 0);
    }
  }

  [[nodiscard]] std::array<Vote, 8> votes(const Pair& z, const Pair& y, const Pair& x) const {
    std::array<Vote, 8> result;
    for (std::size_t i = 0; i < 8; ++i) {
      result[i] = {rows_[i / 2][x.at[i % 2]],
                   z.weight[i / 4] * y.weight[i / 2 % 2] * x.weight[i % 2]};
    }
    return result;
  }

  std::span<const std::int16_t> in_;
  SizeVox size_;
  std::array<const std::int16_t*, 4> rows_{};
  std::vector<std::uint8_t> alike_;
};

}  // namespace

void resample_labels(std::span<const std::int16_t> in, std::span<std::int16_t> out,
                     const Resampling& how) {
  require<ShapeError>(static_cast<std::int64_t>(in.size()) == count(how.from) &&
                          static_cast<std::int64_t>(out.size()) == count(how.to) && !in.empty() &&
                          !out.empty(),
                      "resample_labels: wanted " + std::to_string(count(how.from)) + " -> " +
                          std::to_string(count(how.to)) + " voxels, found " +
                          std::to_string(in.size()) + " -> " + std::to_string(out.size()));
  if (how.from == how.to) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  std::array<std::vector<Pair>, 3> pairs;
  for (int axis = 0; axis < 3; ++axis) {
    pairs[static_cast<std::size_t>(axis)] =
        pairs_of(how.from[axis], how.to[axis], how.separate_axis == axis);
  }
  parallel_for(how.to.z, how.threads, [&](std::int64_t z) {
    RowResampler rows(in, how.from);
    for (std::int64_t y = 0; y < how.to.y; ++y) {
      rows.run(pairs[0][static_cast<std::size_t>(z)], pairs[1][static_cast<std::size_t>(y)],
               pairs[2], out.data() + (z * how.to.y + y) * how.to.x);
    }
  });
}

}  // namespace hepar
