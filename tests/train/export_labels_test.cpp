#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/random.h>
#include <hepar/train/predictor.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace hepar {
namespace {

at::Tensor random_logits(std::int64_t classes, SizeVox size, std::uint64_t seed) {
  RandomStream random({.seed = seed, .purpose = Purpose::kTest, .step = 0, .slot = 0});
  at::Tensor logits = at::empty({classes, size.z, size.y, size.x});
  float* data = logits.mutable_data_ptr<float>();
  std::generate(data, data + logits.numel(), [&] { return static_cast<float>(random.normal()); });
  return logits;
}

/// A corner of the cell that an output position falls into, along one axis.
struct Corner {
  std::int64_t index;
  double weight;
};

/// Half-pixel centres, edges replicated: where output `i` of `to` lies on an axis of `from`.
std::array<Corner, 2> corners(std::int64_t i, std::int64_t from, std::int64_t to, bool nearest) {
  const double at =
      (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double inside = std::clamp(at, 0.0, static_cast<double>(from - 1));
  if (nearest) {
    return {{{std::llround(inside), 1}, {0, 0}}};
  }
  const auto low = static_cast<std::int64_t>(std::floor(inside));
  const double share = inside - std::floor(inside);
  return {{{low, 1 - share}, {std::min(low + 1, from - 1), share}}};
}

/// The whole array resampled voxel by voxel in double: [classes] values of one output voxel.
std::vector<double> values_at(const at::Tensor& logits, SizeVox to, OffsetVox v,
                              std::optional<int> apart) {
  const auto all = logits.accessor<float, 4>();
  std::vector<double> values(static_cast<std::size_t>(logits.size(0)), 0.0);
  for (const Corner& z : corners(v.z, logits.size(1), to.z, apart == 0)) {
    for (const Corner& y : corners(v.y, logits.size(2), to.y, apart == 1)) {
      for (const Corner& x : corners(v.x, logits.size(3), to.x, apart == 2)) {
        for (std::int64_t c = 0; c < logits.size(0); ++c) {
          values[static_cast<std::size_t>(c)] +=
              z.weight * y.weight * x.weight *
              static_cast<double>(all[c][z.index][y.index][x.index]);
        }
      }
    }
  }
  return values;
}

/// Voxels whose label is not the largest value's; a tie to rounding may fall either way.
std::int64_t wrong_labels(const std::vector<std::int16_t>& labels, const at::Tensor& logits,
                          SizeVox to, std::optional<int> apart) {
  std::int64_t wrong = 0;
  std::size_t i = 0;
  for (std::int64_t z = 0; z < to.z; ++z) {
    for (std::int64_t y = 0; y < to.y; ++y) {
      for (std::int64_t x = 0; x < to.x; ++x, ++i) {
        const std::vector<double> values = values_at(logits, to, {z, y, x}, apart);
        const double best = *std::max_element(values.begin(), values.end());
        wrong += values.at(static_cast<std::size_t>(labels[i])) < best - 1e-5 ? 1 : 0;
      }
    }
  }
  return wrong;
}

struct Resize {
  SizeVox from, to;
  std::optional<int> apart;
};

class ExportLabels : public testing::TestWithParam<Resize> {};

TEST_P(ExportLabels, IsTheWholeArrayResampledAndArgmaxed) {
  const auto& [from, to, apart] = GetParam();
  const at::Tensor logits = random_logits(4, from, 1);

  const std::vector<std::int16_t> labels = export_labels(logits, to, apart, 2);

  ASSERT_EQ(static_cast<std::int64_t>(labels.size()), count(to));
  EXPECT_EQ(wrong_labels(labels, logits, to, apart), 0);
  EXPECT_EQ(*std::max_element(labels.begin(), labels.end()), 3);
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, ExportLabels,
    testing::Values(Resize{{5, 6, 7}, {9, 11, 8}, {}}, Resize{{9, 11, 8}, {5, 6, 7}, {}},
                    Resize{{6, 7, 8}, {6, 7, 8}, {}}, Resize{{4, 9, 10}, {13, 5, 10}, {}},
                    Resize{{1, 8, 9}, {3, 4, 20}, {}}, Resize{{5, 12, 11}, {10, 17, 9}, 0},
                    Resize{{8, 5, 9}, {11, 15, 7}, 1}, Resize{{8, 9, 4}, {9, 8, 10}, 2},
                    Resize{{7, 6, 5}, {3, 9, 8}, 0}));

TEST(ExportedLabels, DoesNotDependOnThreads) {
  const at::Tensor logits = random_logits(3, {9, 10, 11}, 2);
  const std::vector<std::int16_t> one = export_labels(logits, {17, 13, 14}, {}, 1);

  for (const int threads : {2, 3, 8}) {
    EXPECT_EQ(export_labels(logits, {17, 13, 14}, {}, threads), one);
  }
}

/// Mean softmax of what two configurations say of one output voxel, in double.
std::vector<double> mean_probabilities(const std::vector<ExportPart>& parts, SizeVox to,
                                       OffsetVox v) {
  std::vector<double> mean(static_cast<std::size_t>(parts.front().logits.size(0)), 0.0);
  for (const ExportPart& part : parts) {
    const std::vector<double> values = values_at(part.logits, to, v, part.separate_axis);
    double sum = 0;
    for (const double value : values) {
      sum += std::exp(value);
    }
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean[c] += std::exp(values[c]) / sum / static_cast<double>(parts.size());
    }
  }
  return mean;
}

TEST(MeanLabels, AreOfTheMeanProbabilityAtTheOutputsSpacing) {
  const SizeVox to{9, 11, 8};
  const std::vector<ExportPart> parts{{random_logits(3, {5, 6, 7}, 4).mul(3), {}},
                                      {random_logits(3, {4, 13, 9}, 5), 0}};
  std::vector<float> sure;

  const auto labels = export_mean_labels(parts, to, 2, {.confidence = &sure});

  std::size_t i = 0, unlike_logits = 0;
  for (OffsetVox v; v.z < to.z; ++v.z) {
    for (v.y = 0; v.y < to.y; ++v.y) {
      for (v.x = 0; v.x < to.x; ++v.x, ++i) {
        const std::vector<double> mean = mean_probabilities(parts, to, v);
        const double found = mean.at(static_cast<std::size_t>(labels[i]));
        ASSERT_GE(found, *std::max_element(mean.begin(), mean.end()) - 1e-5);
        ASSERT_NEAR(static_cast<double>(sure[i]), found, 1e-5);
        std::vector<double> logits = values_at(parts[0].logits, to, v, {});
        const std::vector<double> other = values_at(parts[1].logits, to, v, 0);
        std::transform(logits.begin(), logits.end(), other.begin(), logits.begin(), std::plus<>());
        unlike_logits +=
            std::max_element(logits.begin(), logits.end()) - logits.begin() != labels[i];
      }
    }
  }
  EXPECT_GT(unlike_logits, 0U);  // the mean of logits would have said something else
}

TEST(MeanLabels, OfRegionsAreWrittenAboveOneHalf) {
  const auto part = [](std::vector<float> logits) {
    return ExportPart{at::tensor(logits).view({2, 1, 1, 3}), {}};
  };
  const std::vector<Region> regions{{{1, 2}, 1}, {{2}, 2}};
  std::vector<float> sure;
  // Region 0: mean probabilities .57, .31, .88; region 1: .27, .27, .73.
  const std::vector<ExportPart> parts{part({2, -2, 2, -3, -3, 1}), part({-1, 0, 2, 0, 0, 1})};

  const auto labels = export_mean_labels(parts, {1, 1, 3}, 1, {&sure, regions});

  EXPECT_EQ(labels, (std::vector<std::int16_t>{1, 0, 2}));
  EXPECT_NEAR(sure[0], (1 / (1 + std::exp(-2.0)) + 1 / (1 + std::exp(1.0))) / 2, 1e-6);
}

TEST(MeanLabels, RefuseOutputsThatDiffer) {
  const std::vector<ExportPart> parts{{random_logits(3, {4, 4, 4}, 1), {}},
                                      {random_logits(2, {4, 4, 4}, 1), {}}};

  EXPECT_THROW(export_mean_labels(parts, {4, 4, 4}, 1), ShapeError);
}

TEST(ExportedLabels, TiesGoToTheLowerClass) {
  at::Tensor logits = at::zeros({3, 2, 2, 2});
  logits[1] = 1;
  logits[2] = 1;

  EXPECT_EQ(export_labels(logits, {3, 3, 3}, {}, 1), std::vector<std::int16_t>(27, 1));
}

TEST(ExportedLabels, RefusesOtherTensors) {
  const at::Tensor logits = random_logits(2, {4, 4, 4}, 3);

  EXPECT_THROW(export_labels(logits[0], {4, 4, 4}, {}, 1), ShapeError);
  EXPECT_THROW(export_labels(logits.to(at::kDouble), {4, 4, 4}, {}, 1), ShapeError);
  EXPECT_THROW(export_labels(logits.transpose(1, 3), {4, 4, 4}, {}, 1), ShapeError);
}

}  // namespace
}  // namespace hepar
