#pragma once
#include <hepar/core/random.h>
#include <hepar/io/prepared_writer.h>
#include <hepar/train/train_config.h>

#include <filesystem>
#include <string>
#include <vector>

#include "train/small_training.h"

namespace hepar::test {

/// Sixteen patients of four stages in two domains, two sequences each, volumes of several sizes.
/// The stage is the brightness of the liver against its surroundings. `permuted` gives the patients
/// of fold 0's validation part each other's stages.
struct SmallVois {
  std::vector<int> stages{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4};
  bool same_size = false;
};

inline PreparedCase write_voi(PreparedShardWriter& writer, int patient, int sequence,
                              const SmallVois& how) {
  const int stage = how.stages[static_cast<std::size_t>(patient)];
  const SizeVox size = how.same_size ? SizeVox{8, 10, 12}
                                     : SizeVox{7 + patient % 3, 10 + sequence, 12 - patient % 2};
  RandomStream random({.seed = 3,
                       .purpose = Purpose::kTest,
                       .step = static_cast<std::uint64_t>(patient),
                       .slot = static_cast<std::uint32_t>(sequence)});
  std::vector<float> image;
  std::vector<std::int16_t> labels;
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        const bool liver = z > 1 && z < size.z - 2 && y > 2 && x > 2 && x < size.x - 2;
        labels.push_back(liver ? 1 : 0);
        image.push_back(static_cast<float>(0.3 * random.normal() + (liver ? stage - 2.5 : 0)));
      }
    }
  }
  PreparedSample sample;
  PreparedCase& record = sample.record;
  record.case_id = record.patient = "patient-" + std::to_string(100 + patient);
  record.sequence = sequence == 0 ? "T1" : "GED4";
  record.id = record.case_id + "/" + record.sequence;
  record.split = "train";
  record.domain = patient % 8 < 4 ? "A" : "B1";
  record.stage = stage;
  record.label = patient == 5 ? "none" : "pseudo";
  record.source_hashes = {record.id};
  record.size = record.canonical.size = size;
  record.crop = {{0, 0, 0}, size};
  sample.channels = {image};
  sample.labels = labels;
  return writer.write(sample);
}

inline void write_small_vois(const std::filesystem::path& folder, const SmallVois& how = {}) {
  PreparedShardWriter writer({folder, 0, 1});
  std::vector<PreparedCase> records;
  for (int patient = 0; patient < static_cast<int>(how.stages.size()); ++patient) {
    for (int sequence = 0; sequence < 2; ++sequence) {
      records.push_back(write_voi(writer, patient, sequence, how));
    }
  }
  writer.close();
  Plan plan = small_plan();
  plan.classes = {"background", "liver"};
  write_prepared_index(folder, {.tool_version = "test",
                                .source_hash = "cohort",
                                .labels = {{"background", 0}, {"liver", 1}},
                                .plan_yaml = to_yaml(plan),
                                .cases = records});
}

inline TrainConfig staging_config(const std::filesystem::path& set,
                                  const std::filesystem::path& out, std::int64_t steps) {
  TrainConfig config = small_config(set, out, steps);
  config.task = "staging";
  config.data.folds = 2;
  config.data.fold = "0";
  config.train.global_batch = 4;
  config.dist.shards = 4;
  config.backbone.width = 4;
  config.augmentation.mirror_axes = {};
  config.optimizer = {.name = "adam", .lr = 3e-3, .weight_decay = 0, .decay = "none"};
  return config;
}

}  // namespace hepar::test
