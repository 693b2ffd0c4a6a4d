#include "hepar/data/stage_sampler.h"

#include <map>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr int kStages = 4;

const std::size_t& pick(const std::vector<std::size_t>& from, RandomStream& random) {
  return from[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(from.size())))];
}

}  // namespace

StageSampler::StageSampler(CaseList cases, const std::vector<std::size_t>& case_indices,
                           const Options& options)
    : cases_(std::move(cases)), options_(options) {
  const std::string where = cases_.sets().front()->folder().string();
  require<ConfigError>(!case_indices.empty(), where + ": no volume to train on; check data.split");
  // By set too: two cohorts may use one name for two people.
  std::map<int, std::map<std::pair<std::size_t, std::string>, Patient>> by_stage;
  for (const std::size_t index : case_indices) {
    const PreparedCase& record = cases_.record(index);
    const int stage = record.stage.value_or(0);
    require<ConfigError>(stage >= 1 && stage <= kStages,
                         where + ": " + cases_.name(index) + ": wanted a stage of 1 to 4, found " +
                             (record.stage ? std::to_string(stage) : "none"));
    by_stage[stage][{cases_.set_of(index), record.patient}].push_back(index);
  }
  const bool balanced = options_.patients == "inverse_frequency";
  for (const auto& [stage, patients] : by_stage) {
    patients_of_[static_cast<std::size_t>(stage - 1)] = static_cast<std::int64_t>(patients.size());
    if (groups_.empty() || balanced) {
      groups_.emplace_back();
    }
    for (const auto& [name, volumes] : patients) {
      groups_.back().push_back(volumes);
    }
  }
}

PatchRequest StageSampler::at(std::int64_t step, std::int64_t slot) const {
  require<ShapeError>(step >= 0 && slot >= 0 && slot < options_.global_batch,
                      "StageSampler: step " + std::to_string(step) + ", slot " +
                          std::to_string(slot) + " of a global batch of " +
                          std::to_string(options_.global_batch));
  RandomStream random({options_.seed, Purpose::kSampling, static_cast<std::uint64_t>(step),
                       static_cast<std::uint32_t>(slot)});
  const auto& group =
      groups_[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(groups_.size())))];
  const Patient& patient =
      group[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(group.size())))];
  PatchRequest request;
  request.case_index = pick(patient, random);
  request.box = {{0, 0, 0}, cases_.record(request.case_index).size};
  return request;
}

std::array<double, 4> StageSampler::stage_prior() const {
  double all = 0;
  for (const std::int64_t n : patients_of_) {
    all += static_cast<double>(n);
  }
  std::array<double, 4> prior{};
  for (std::size_t i = 0; i < prior.size(); ++i) {
    prior[i] = static_cast<double>(patients_of_[i]) / all;
  }
  return prior;
}

std::array<double, 4> StageSampler::stage_frequencies() const {
  if (options_.patients != "inverse_frequency") {
    return stage_prior();
  }
  std::array<double, 4> frequencies{};
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = patients_of_[i] > 0 ? 1.0 / static_cast<double>(groups_.size()) : 0.0;
  }
  return frequencies;
}

}  // namespace hepar
