#include "hepar/data/stage_sampler.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "hepar/core/error.h"
#include "hepar/io/prepared_writer.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

/// Nine patients: six of S1, two of S2, one of S4; the first has three sequences, the others one.
/// Beside them one without a stage.
class StageSampling : public testing::Test {
 protected:
  StageSampling() {
    PreparedShardWriter writer({folder_.path(), 0, 1});
    PreparedIndex index;
    index.labels = {{"background", 0}};
    index.plan_yaml = "test: true\n";
    const std::vector<int> stages{1, 1, 1, 1, 1, 1, 2, 2, 4, 0};
    for (std::size_t p = 0; p < stages.size(); ++p) {
      for (int s = 0; s < (p == 0 ? 3 : 1); ++s) {
        PreparedSample sample;
        sample.record.patient = sample.record.case_id = "p" + std::to_string(p);
        sample.record.sequence = "s" + std::to_string(s);
        sample.record.id = sample.record.case_id + "/" + sample.record.sequence;
        if (stages[p] > 0) {
          sample.record.stage = stages[p];
        }
        sample.record.size = {2, 3, static_cast<int>(p) + 1};
        sample.record.canonical.size = sample.record.crop.size = sample.record.size;
        const std::vector<float> image(6 * (p + 1), 1.0F);
        sample.channels = {image};
        index.cases.push_back(writer.write(sample));
      }
    }
    writer.close();
    write_prepared_index(folder_.path(), index);
    set_ = std::make_unique<PreparedSet>(folder_.path());
    for (std::size_t i = 0; i < set_->cases().size(); ++i) {
      (set_->cases()[i].stage ? all_ : without_).push_back(i);
    }
  }

  /// How often each patient, and each volume of the first, is drawn.
  struct Shares {
    std::map<std::string, double> patient, volume;
  };
  [[nodiscard]] Shares shares(const std::string& patients) const {
    constexpr int kSteps = 2000;
    constexpr int kSlots = 8;
    const StageSampler sampler(*set_, all_,
                               {.seed = 5, .global_batch = kSlots, .patients = patients});
    Shares found;
    for (int step = 0; step < kSteps; ++step) {
      for (int slot = 0; slot < kSlots; ++slot) {
        const PreparedCase& record = set_->cases()[sampler.at(step, slot).case_index];
        found.patient[record.patient] += 1.0 / (kSteps * kSlots);
        found.volume[record.id] += 1.0 / (kSteps * kSlots);
      }
    }
    return found;
  }

  TemporaryFolder folder_;
  std::unique_ptr<PreparedSet> set_;
  std::vector<std::size_t> all_, without_;
};

constexpr double kTolerance = 0.012;  // four standard errors of a share of 1/3 in 16,000 draws

TEST_F(StageSampling, InverseFrequencyDrawsStagesThenPatientsThenSequences) {
  const Shares found = shares("inverse_frequency");

  EXPECT_NEAR(found.patient.at("p8"), 1.0 / 3, kTolerance);
  EXPECT_NEAR(found.patient.at("p6"), 1.0 / 6, kTolerance);
  EXPECT_NEAR(found.patient.at("p0"), 1.0 / 18, kTolerance);  // whatever its number of sequences
  EXPECT_NEAR(found.volume.at("p0/s2"), 1.0 / 54, kTolerance / 2);
}

TEST_F(StageSampling, UniformDrawsEveryPatientAsOften) {
  for (const auto& [patient, share] : shares("uniform").patient) {
    EXPECT_NEAR(share, 1.0 / 9, kTolerance) << patient;
  }
}

TEST_F(StageSampling, AVolumeComesWholeAndDependsOnStepAndSlotAlone) {
  const StageSampler sampler(*set_, all_, {.seed = 5, .global_batch = 4});
  std::set<std::size_t> drawn;
  for (int step = 0; step < 20; ++step) {
    const PatchRequest request = sampler.at(step, 1);
    EXPECT_EQ(request.box, (BoxVox{{0, 0, 0}, set_->cases()[request.case_index].size}));
    EXPECT_EQ(request.case_index, sampler.at(step, 1).case_index);
    drawn.insert(request.case_index);
  }
  EXPECT_GT(drawn.size(), 3U);
}

TEST_F(StageSampling, KnowsThePriorAndWhatItShows) {
  const StageSampler balanced(*set_, all_, {.seed = 5, .global_batch = 4});

  EXPECT_NEAR(balanced.stage_prior()[0], 6.0 / 9, 1e-12);
  EXPECT_EQ(balanced.stage_prior()[2], 0);
  EXPECT_NEAR(balanced.stage_frequencies()[3], 1.0 / 3, 1e-12);
  EXPECT_EQ(balanced.stage_frequencies()[2], 0);
}

TEST_F(StageSampling, RefusesAVolumeWithoutAStage) {
  EXPECT_THROW(StageSampler(*set_, without_, {}), ConfigError);
  EXPECT_THROW(StageSampler(*set_, {}, {}), ConfigError);
}

}  // namespace
}  // namespace hepar::test
