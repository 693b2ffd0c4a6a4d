#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "phantom/generate.h"
#include "phantom/layout.h"
#include "phantom/patient.h"
#include "phantom/phantom_command.h"
#include "support/temporary.h"

namespace hepar::phantom {
namespace {

const fs::path kVersion1 = fs::path(HEPAR_SOURCE_DIR) / "configs/phantom/v1.yaml";

std::string without_comments(const std::string& yaml) {
  std::string text;
  for (const std::string& line : split(yaml, '\n')) {
    text += line.empty() || line[0] == '#' ? "" : line + "\n";
  }
  return text;
}

std::map<std::string, std::int64_t> counts_of(const std::vector<Patient>& cohort) {
  std::map<std::string, std::int64_t> counts;
  for (const Patient& patient : cohort) {
    const std::string domain(kDomainNames[patient.key.domain]);
    ++counts[domain + "/" + std::to_string(static_cast<int>(patient.key.split))];
    counts[domain + "/masks"] += patient.has_mask && patient.key.split == Split::kTrain ? 1 : 0;
  }
  return counts;
}

TEST(PhantomVersion1, IsTheBuiltInPhantomAndTheCommittedFile) {
  PhantomParameters read;
  ConfigSchema schema;
  read.declare(schema);
  schema.read_yaml(kVersion1);

  EXPECT_NO_THROW(check_version1_is_frozen());
  EXPECT_EQ(version_label(read), "v1");
  EXPECT_EQ(without_comments(read_text(kVersion1)), to_yaml({}));
}

TEST(PhantomVersion1, IsNotTheNameOfOtherParameters) {
  PhantomParameters other;
  other.stage.means[3] += 1e-6;

  EXPECT_TRUE(version_label(other).starts_with("custom-")) << version_label(other);
}

TEST(PhantomCohort, SwappedGivesEachPatientTheCueOfAnotherOfItsGroup) {
  const auto own = make_cohort({7, "quick", Variant::kConfound}, {});
  const auto swapped = make_cohort({7, "quick", Variant::kSwapped}, {});

  ASSERT_EQ(own.size(), swapped.size());
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> cues;
  for (std::size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(own[i].id_with_stage(), swapped[i].id_with_stage());
    EXPECT_EQ(own[i].latents.patient, swapped[i].latents.patient);
    EXPECT_EQ(own[i].latents.sequence, swapped[i].latents.sequence);
    EXPECT_NE(own[i].latents.cue, swapped[i].latents.cue);
    cues[{own[i].key.domain, static_cast<int>(own[i].key.split)}].emplace_back(
        own[i].latents.cue, swapped[i].latents.cue);
  }
  for (auto& [group, pairs] : cues) {
    std::sort(pairs.begin(), pairs.end());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(pairs[i].second, pairs[pairs.size() - 1 - i].first);
    }
  }
}

TEST(PhantomCohort, HasThePapersCounts) {
  const auto counts = counts_of(make_cohort({7, "paper", Variant::kPlain}, {}));

  const std::map<std::string, std::int64_t> wanted{
      {"A/0", 100}, {"A/1", 10},      {"A/2", 40},      {"A/masks", 10}, {"B1/0", 100},
      {"B1/1", 10}, {"B1/2", 40},     {"B1/masks", 10}, {"B2/0", 50},    {"B2/1", 10},
      {"B2/2", 40}, {"B2/masks", 10}, {"C/2", 40},      {"C/masks", 0}};
  EXPECT_EQ(counts, wanted);
}

TEST(PhantomCohort, FollowsEachDomainsStageFrequencies) {
  std::array<int, kStages> stages{};
  for (const Patient& patient : make_cohort({3, "paper", Variant::kPlain}, {})) {
    if (patient.key.domain == 0 && patient.key.split == Split::kTrain) {
      ++stages[static_cast<std::size_t>(patient.stage)];
    }
  }

  // 100 patients by 55 : 25 : 12 : 38 of 130, largest remainder: 42.3, 19.2, 9.2, 29.2.
  EXPECT_EQ(stages, (std::array<int, kStages>{43, 19, 9, 29}));
}

TEST(PhantomCohort, RepeatsNumbersAcrossDomainsButNotWithin) {
  std::set<std::string> ids;
  std::set<int> numbers;
  const auto cohort = make_cohort({1, "paper", Variant::kPlain}, {});
  for (const Patient& patient : cohort) {
    ids.insert(patient.id());
    numbers.insert(patient.number);
  }

  EXPECT_EQ(ids.size(), cohort.size());
  EXPECT_LT(numbers.size(), cohort.size());
}

TEST(PhantomCohort, NeverMissesGed4) {
  int missing = 0;
  for (const Patient& patient : make_cohort({1, "paper", Variant::kPlain}, {})) {
    EXPECT_FALSE(patient.missing[kGed4]) << patient.id();
    missing += static_cast<int>(std::count(patient.missing.begin(), patient.missing.end(), true));
  }
  EXPECT_NEAR(missing / (440.0 * 6), 0.15, 0.03);
}

TEST(PhantomCohort, DrawsAPatientWhateverThePreset) {
  const auto tiny = make_cohort({5, "tiny", Variant::kPlain}, {});
  const auto quick = make_cohort({5, "quick", Variant::kPlain}, {});

  // The stage of an index may differ between presets; what does not depend on it must not.
  EXPECT_EQ(tiny[2].missing, quick[2].missing);
  EXPECT_NE(quick[2].missing == quick[3].missing && quick[3].missing == quick[4].missing, true);
}

TEST(PhantomParametersCheck, NamesAListOfWrongLength) {
  PhantomParameters parameters;
  parameters.contrast.table[kGed4].pop_back();

  try {
    check_lengths(parameters);
    FAIL() << "twelve tissues were accepted";
  } catch (const ConfigError& e) {
    EXPECT_EQ(std::string(e.what()), "phantom: contrast.GED4: wanted 13 numbers, found 12");
  }
}

TEST(PhantomCommand, RefusesWhatItCannotDo) {
  const test::TemporaryFolder folder;
  const std::string out = (folder.path() / "cohort").string();
  fs::create_directories(fs::path(out) / "something");

  EXPECT_THROW(run_phantom_command({}), ConfigError);
  EXPECT_THROW(run_phantom_command({"--preset", "huge", "--out", out}), ConfigError);
  EXPECT_THROW(run_phantom_command({"--sequences", "GED5", "--out", out + "2"}), ConfigError);
  EXPECT_THROW(run_phantom_command({"--preset", "tiny", "--out", out}), DataError);
  EXPECT_NO_THROW(run_phantom_command({"--dry-run", "--preset", "tiny", "--out", out + "2"}));
  EXPECT_FALSE(fs::exists(out + "2"));
}

TEST(PhantomLayouts, AreKnownByName) {
  EXPECT_THROW(make_layout("chaos2031", "/nowhere"), ConfigError);
  Patient patient;
  patient.number = 1053;
  patient.key.domain = 2;
  patient.stage = 2;
  EXPECT_EQ(make_layout("liqa2024", "")->case_folder(patient),
            fs::path("LiQA_training_data/Vendor_B2/1053-B2-S3"));
  patient.key.domain = kDomainC;
  patient.key.split = Split::kTest;
  EXPECT_EQ(make_layout("liqa2025", "")->case_folder(patient),
            fs::path("LiQA_test/OOD/Data/Vendor-C/1053-C"));
}

}  // namespace
}  // namespace hepar::phantom
