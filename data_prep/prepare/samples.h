#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hepar/image/image.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "hepar/io/pseudo_labels.h"
#include "hepar/io/shard.h"
#include "hepar/plan/plan.h"
#include "hepar/prep/prepare.h"
#include "sources/source.h"

namespace hepar {

/// One future prepared case.
struct Sample {
  std::string id;
  std::size_t case_index = 0;
  std::vector<std::size_t> sequences;   ///< of the case, one a channel
  std::optional<std::size_t> mask;      ///< which of the case's sequences carries it
  const PseudoLabel* pseudo = nullptr;  ///< the mask of one without a manual one
  [[nodiscard]] bool has_mask() const { return mask.has_value() || pseudo != nullptr; }
};

struct SampleChoice {
  std::vector<Sample> samples;  ///< sorted by id
  std::vector<Problem> problems;
};

/// What samples are chosen from; all of it must outlive the choice.
struct SampleSource {
  const Manifest& manifest;
  const Plan& plan;
  const PseudoLabelSet* pseudo = nullptr;
};

/// The samples a selection makes of a cohort. A plan with several channels wants all of them on one
/// grid. Throws DataError when nothing is selected, or a name exists nowhere in the cohort.
SampleChoice choose_samples(const SampleSource& source, const SampleSelection& selection);

/// Size of a prepared sample before cropping: what its dealing to shards goes by.
std::int64_t prepared_bytes(const Sample& sample, const Manifest& manifest, const Plan& plan);

/// Names, split, stage and label of a sample.
PreparedCase record_of(const Sample& sample, const Manifest& manifest);

/// Reads a cohort's arrays, hashes checked; keeps one shard open.
class CohortReader {
 public:
  CohortReader(fs::path folder, const Manifest& manifest);
  [[nodiscard]] Image<float> image(std::size_t case_index, std::size_t sequence);
  [[nodiscard]] LabelImage mask(std::size_t case_index, std::size_t sequence);

 private:
  const ShardReader& shard(int number);

  fs::path folder_;
  const Manifest& manifest_;
  int open_ = -1;
  std::unique_ptr<ShardReader> reader_;
};

}  // namespace hepar
