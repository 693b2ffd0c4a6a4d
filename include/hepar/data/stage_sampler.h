#pragma once
#include <hepar/core/random.h>
#include <hepar/data/case_list.h>
#include <hepar/data/patch_sampler.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// Which volume of interest stands at (step, slot), addressed by (seed, step, slot) alone: a
/// patient, then one of the patient's sequences uniformly (PROTOCOL §5).
class StageSampler {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::int64_t global_batch = 1;
    /// inverse_frequency: a stage uniformly, then one of its patients. uniform: a patient.
    std::string patients = "inverse_frequency";
  };
  /// `case_indices`: the volumes that may be drawn, each with a stage. The sets must outlive the
  /// sampler. Throws ConfigError when there is none or one has no stage.
  StageSampler(CaseList cases, const std::vector<std::size_t>& case_indices,
               const Options& options);

  /// The whole volume. Thread-safe.
  [[nodiscard]] PatchRequest at(std::int64_t step, std::int64_t slot) const;

  /// How often each stage is drawn, S1 … S4.
  [[nodiscard]] std::array<double, 4> stage_frequencies() const;
  /// The share of the patients with each stage, S1 … S4.
  [[nodiscard]] std::array<double, 4> stage_prior() const;

 private:
  using Patient = std::vector<std::size_t>;  ///< its volumes
  CaseList cases_;
  std::vector<std::vector<Patient>> groups_;  ///< drawn uniformly; each a list of patients
  std::array<std::int64_t, 4> patients_of_{};
  Options options_;
};

}  // namespace hepar
