#pragma once
#include <hepar/core/random.h>
#include <hepar/io/prepared_writer.h>
#include <hepar/plan/plan.h>
#include <hepar/train/train_config.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

namespace hepar::test {

/// A network of two stages for 16³ patches and batches of four.
inline Plan small_plan() {
  Plan plan;
  plan.spacing_mm = {1, 1, 1};
  plan.median_shape = {20, 20, 20};
  plan.patch_size = {16, 16, 16};
  plan.batch_size = 4;
  plan.strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}};
  plan.kernels = {{3, 3, 3}, {3, 3, 3}, {3, 3, 3}};
  plan.features = {4, 8, 8};
  plan.normalization = {Normalization{}};
  plan.channels = {"T1"};
  plan.classes = {"background", "ball"};
  plan.blocks_per_stage = {1, 1, 1};
  plan.convs_per_decoder_level = {1, 1};
  plan.batch_dice = true;
  plan.shards = 4;
  return plan;
}

/// Which small set to write.
struct SmallSet {
  int first = 0;  ///< number of its first case: other numbers are other images
  std::string cohort = "0000000000000000";
  std::string label = "manual";
  Plan plan = small_plan();
};

/// Four cases of noise with a brighter ball, each of another size and another ball.
inline void write_small_set(const std::filesystem::path& folder, const SmallSet& set = {}) {
  PreparedShardWriter writer({folder, 0, 1});
  std::vector<PreparedCase> records;
  for (int n = set.first; n < set.first + 4; ++n) {
    const SizeVox size{18 + n % 4, 20, 22 - n % 4};
    RandomStream random(
        {.seed = 1, .purpose = Purpose::kTest, .step = static_cast<std::uint64_t>(n), .slot = 0});
    std::vector<float> image;
    std::vector<std::int16_t> labels;
    for (std::int64_t z = 0; z < size.z; ++z) {
      for (std::int64_t y = 0; y < size.y; ++y) {
        for (std::int64_t x = 0; x < size.x; ++x) {
          const double r =
              std::hypot(static_cast<double>(z - 8 - n % 4), static_cast<double>(y - 9),
                         static_cast<double>(x - 12 + n % 4));
          labels.push_back(r < 5 ? 1 : 0);
          image.push_back(static_cast<float>(random.normal() + 2 * labels.back()));
        }
      }
    }
    PreparedSample sample;
    sample.record.id = sample.record.case_id = sample.record.patient = "case-" + std::to_string(n);
    sample.record.sequence = "T1";
    sample.record.split = "train";
    sample.record.label = set.label;
    sample.record.source_hashes = {"image-" + std::to_string(n)};
    sample.record.size = size;
    sample.record.canonical.size = size;
    sample.record.crop = {{0, 0, 0}, size};
    sample.channels = {image};
    sample.labels = labels;
    records.push_back(writer.write(sample));
  }
  writer.close();
  write_prepared_index(folder, {.tool_version = "test",
                                .source_hash = set.cohort,
                                .labels = {{"background", 0}, {set.plan.classes[1], 1}},
                                .plan_yaml = to_yaml(set.plan),
                                .cases = records});
}

inline TrainConfig small_config(const std::filesystem::path& set, const std::filesystem::path& out,
                                std::int64_t steps) {
  TrainConfig config;
  config.out = out.string();
  config.data.path = set.string();
  config.compute.device = "cpu";
  config.train.steps = steps;
  config.train.checkpoint_every = 5;
  config.train.log_every = 1;
  config.run.threads = 1;
  return config;
}

}  // namespace hepar::test
