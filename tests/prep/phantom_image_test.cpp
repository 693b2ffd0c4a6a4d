#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"
#include "hepar/image/components.h"
#include "hepar/image/nifti.h"
#include "hepar/io/manifest.h"
#include "phantom/generate.h"
#include "phantom/phantom_command.h"
#include "phantom/render.h"
#include "phantom/scores.h"
#include "prep/cohorts.h"
#include "support/temporary.h"

namespace hepar::phantom {
namespace {

Patient patient_of(int domain, std::uint32_t index, Variant variant = Variant::kPlain) {
  return make_patient({{11, domain, Split::kAudit, index}, 1, variant, 1.3}, {});
}

RenderedSequence rendered(const Patient& patient, int sequence,
                          const PhantomParameters& parameters = {}) {
  const Anatomy anatomy(patient, parameters);
  return render(patient, anatomy, draw_acquisition(patient, anatomy, sequence, parameters),
                parameters);
}

RegionStatistics statistics_of(const RenderedSequence& image) {
  return region_statistics(image.image.voxels, image.mask, image.image.grid);
}

std::map<std::string, std::string> hashes_below(const fs::path& folder) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      hashes[fs::relative(entry.path(), folder).string()] =
          to_hex(xxh64_of_file(entry.path().string()));
    }
  }
  return hashes;
}

TEST(PhantomImage, HoldsOneLiverOfTheDrawnVolumeInEverySequence) {
  const Patient patient = patient_of(1, 4);
  const Anatomy anatomy(patient, {});
  for (const int sequence : {0, kDwi, kGed4}) {
    const RenderedSequence image = rendered(patient, sequence);
    const auto sizes =
        connected_components(image.mask, image.image.grid.size, Connectivity::kFull26).sizes;
    const double all = static_cast<double>(std::count(image.mask.begin(), image.mask.end(), 1));

    EXPECT_GT(static_cast<double>(*std::max_element(sizes.begin(), sizes.end())), 0.99 * all);
    EXPECT_NEAR(statistics_of(image).volume_ml / anatomy.liver_ml(), 1, 0.08)
        << kSequenceNames[sequence];
  }
}

TEST(PhantomImage, InvertsT2AgainstTheHepatobiliaryPhase) {
  const auto spleen_against_liver = [](const RenderedSequence& image, const PhantomParameters& p) {
    return p.contrast.table[image.sequence][static_cast<std::size_t>(Tissue::kSpleen)] /
           p.contrast.table[image.sequence][static_cast<std::size_t>(Tissue::kLiver)];
  };
  const PhantomParameters parameters;
  const Patient patient = patient_of(0, 2);
  const RenderedSequence t2 = rendered(patient, kT2);
  const RenderedSequence ged4 = rendered(patient, kGed4);

  EXPECT_GT(spleen_against_liver(t2, parameters), 1.5);
  EXPECT_NEAR(spleen_against_liver(ged4, parameters), 1, 0.02);
  // Against the whole image the liver is among the darker tissues in T2, among the brighter ones in
  // GED4.
  EXPECT_LT(statistics_of(t2).mean / statistics_of(t2).box_mean, 1);
  EXPECT_GT(statistics_of(ged4).mean / statistics_of(ged4).box_mean, 1.1);
}

TEST(PhantomImage, TakesDwiTwoToThreeTimesCoarser) {
  const Patient patient = patient_of(2, 1);
  const Anatomy anatomy(patient, {});
  const double t1 = draw_acquisition(patient, anatomy, 0, {}).grid.spacing.x;
  const double dwi = draw_acquisition(patient, anatomy, kDwi, {}).grid.spacing.x;

  EXPECT_GE(dwi / t1, 2);
  EXPECT_LE(dwi / t1, 3);
}

TEST(PhantomImage, ShowsTheLatentInTextureNotInMeanOrSd) {
  Patient low = patient_of(0, 6);
  Patient high = low;
  low.latents.sequence.fill(-2);
  high.latents.sequence.fill(5);

  const RegionStatistics of_low = statistics_of(rendered(low, kGed4));
  const RegionStatistics of_high = statistics_of(rendered(high, kGed4));

  EXPECT_NEAR(of_high.mean / of_low.mean, 1, 0.005);
  EXPECT_NEAR(of_high.sd / of_low.sd, 1, 0.02);
  EXPECT_GT(of_high.neighbours, of_low.neighbours + 0.05);
  EXPECT_DOUBLE_EQ(of_high.volume_ml, of_low.volume_ml);
}

TEST(PhantomImage, ShowsTheContourLatentInTheMask) {
  Patient low = patient_of(0, 6);
  Patient high = low;
  low.latents.contour = -30;
  high.latents.contour = 30;

  EXPECT_GT(Anatomy(high, {}).contour_mm(), Anatomy(low, {}).contour_mm() + 1);
  EXPECT_NE(rendered(high, kGed4).mask, rendered(low, kGed4).mask);
}

TEST(PhantomImage, ChangesOnlyTheBoxOutsideTheLiverByTheCue) {
  PhantomParameters without;
  without.confound.amplitude = 0;
  const Patient patient = patient_of(1, 3, Variant::kConfound);
  const RenderedSequence cue = rendered(patient, kGed4);
  const RenderedSequence plain = rendered(patient, kGed4, without);

  std::int64_t in_liver = 0;
  std::int64_t outside = 0;
  for (std::size_t i = 0; i < cue.mask.size(); ++i) {
    const bool changed = cue.image.voxels[i] != plain.image.voxels[i];
    (cue.mask[i] != 0 ? in_liver : outside) += changed ? 1 : 0;
  }

  EXPECT_EQ(in_liver, 0);
  EXPECT_GT(outside, 1000);
  EXPECT_NEAR(statistics_of(cue).box_mean / statistics_of(plain).box_mean, 1, 0.01);
  EXPECT_NEAR(statistics_of(cue).box_sd / statistics_of(plain).box_sd, 1, 0.01);
}

class PhantomFiles : public ::testing::Test {
 protected:
  fs::path make(const std::string& name, std::vector<std::string> more = {}) {
    const fs::path out = folder_.path() / name;
    std::vector<std::string> words{"--preset",   "tiny",  "--out",
                                   out.string(), "--set", "presets.tiny.grid_scale=2.5",
                                   "--seed",     "3"};
    words.insert(words.end(), more.begin(), more.end());
    run_phantom_command(words);
    return out;
  }
  test::TemporaryFolder folder_;
};

TEST_F(PhantomFiles, AreTheSameBytesForAnyNumberOfThreads) {
  const auto one = hashes_below(make("one", {"--threads", "1", "--sequences", "GED4,T2"}));
  const auto three = hashes_below(make("three", {"--threads", "3", "--sequences", "GED4,T2"}));
  auto other = hashes_below(make("other", {"--sequences", "GED4,T2", "--variant", "confound"}));

  EXPECT_GT(one.size(), 40U);
  EXPECT_EQ(one, three);
  EXPECT_NE(one, other);
}

TEST_F(PhantomFiles, AreReadBackByTheLiqaSource) {
  const fs::path in = make("cohort");
  ConvertConfig config;
  config.source = "liqa";
  config.in = in.string();
  config.out = (folder_.path() / "shards").string();
  config.labels = (in / "labels.csv").string();
  config.masks = (in / "masks").string();
  test::convert_alone(config);

  const auto cohort = make_cohort({3, "tiny", Variant::kPlain}, {});
  const Manifest manifest = read_manifest(config.out);
  ASSERT_EQ(manifest.cases.size(), cohort.size());
  for (const Patient& patient : cohort) {
    const bool train = patient.key.split == Split::kTrain;
    const std::string id = train ? patient.id_with_stage() : patient.id();
    const auto found = std::find_if(manifest.cases.begin(), manifest.cases.end(),
                                    [&](const auto& item) { return item.id == id; });
    ASSERT_NE(found, manifest.cases.end()) << id;
    EXPECT_EQ(found->stage, patient.stage + 1) << id;
    EXPECT_EQ(found->domain, kDomainNames[patient.key.domain]);
    EXPECT_EQ(found->sequences.size(), static_cast<std::size_t>(std::count(
                                           patient.missing.begin(), patient.missing.end(), false)));
  }
}

TEST_F(PhantomFiles, KeepTheTruthOfEverySequenceApart) {
  const fs::path out = make("cohort", {"--layout", "liqa2025"});
  for (const Patient& patient : make_cohort({3, "tiny", Variant::kPlain}, {})) {
    const bool train = patient.key.split == Split::kTrain;
    const fs::path truth = out / "truth" / (train ? patient.id_with_stage() : patient.id());
    for (int s = 0; s < kSequences; ++s) {
      const fs::path file = truth / (std::string(kSequenceNames[s]) + ".nii.gz");
      EXPECT_EQ(fs::exists(file), !patient.missing[s]) << file;
    }
  }
  EXPECT_FALSE(fs::exists(out.string() + ".partial"));
}

}  // namespace
}  // namespace hepar::phantom
