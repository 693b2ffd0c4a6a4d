#include "hepar/io/lineage.h"

#include <gtest/gtest.h>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/io/pseudo_labels.h"
#include "support/temporary.h"

namespace hepar {
namespace {

const CaseIdentity kCase{.cohort = "c1", .case_id = "p1", .images = {"aa", "bb"}};

TEST(Lineage, KnowsACaseByItsIdOrItsVoxels) {
  Lineage lineage;
  lineage.add(kCase, CaseUse::kMask);

  EXPECT_TRUE(lineage.uses(kCase, CaseUse::kMask));
  EXPECT_FALSE(lineage.uses(kCase, CaseUse::kImage));
  EXPECT_TRUE(lineage.uses({"c1", "p1", {"zz"}}, CaseUse::kMask));   // another sequence of it
  EXPECT_TRUE(lineage.uses({"c2", "p9", {"bb"}}, CaseUse::kMask));   // renamed in another cohort
  EXPECT_FALSE(lineage.uses({"c2", "p1", {"zz"}}, CaseUse::kMask));  // the same id of others
  EXPECT_TRUE(lineage.uses({"", "p1", {"zz"}}, CaseUse::kMask));     // a file of that name
  EXPECT_FALSE(lineage.uses({"", "p2", {}}, CaseUse::kMask));
}

TEST(Lineage, MergesAndComesBackFromItsFile) {
  const test::TemporaryFolder folder;
  Lineage one, two;
  one.add(kCase, CaseUse::kMask);
  two.add({"c2", "p2", {"dd"}}, CaseUse::kImage);
  two.add({"c1", "p1", {"ee"}}, CaseUse::kMask);
  one.merge(two);

  write_lineage(folder.path(), one);
  const std::optional<Lineage> found = read_lineage(folder.path());

  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, one);
  EXPECT_EQ(one.count(CaseUse::kMask), 1U);
  EXPECT_TRUE(one.uses({"x", "y", {"ee"}}, CaseUse::kMask));
  EXPECT_FALSE(read_lineage(folder.path() / "none").has_value());
}

TEST(Lineage, RefusesWhatIsNone) {
  const test::TemporaryFolder folder;
  for (const char* text :
       {R"({"format": 2, "uses": []})", R"({"format": 1})", R"({"format": 1, "uses": [{}]})",
        R"({"format": 1, "uses": [{"cohort": "", "case": "a", "use": "seen", "images": []}]})",
        R"({"format": 1, "uses": [{"cohort": "", "case": "a", "use": "mask", "images": [1]}]})"}) {
    write_atomically(folder.path() / "lineage.json", std::string(text));
    EXPECT_THROW(read_lineage(folder.path()), DataError) << text;
  }
}

TEST(PseudoLabels, ComeBackAndAreFoundUnlessLeftOut) {
  const test::TemporaryFolder folder;
  PseudoLabelSet set;
  set.cohort_hash = set.plan_hash = "0123456789abcdef";
  set.labels = {{"background", 0}, {"liver", 1}};
  set.cases = {{"a", "T1", "masks/a.nii.gz", "0123456789abcdef", 0.75, 10, 2, ""},
               {"b", "T1", "masks/b.nii.gz", "0123456789abcdef", 0.25, 10, 0, "too low"}};

  write_pseudo_labels(folder.path(), set);
  const PseudoLabelSet found = read_pseudo_labels(folder.path());

  ASSERT_NE(found.find("a", "T1"), nullptr);
  EXPECT_EQ(found.find("a", "T1")->confidence, 0.75);
  EXPECT_EQ(found.find("a", "T1")->ignored, 2);
  EXPECT_EQ(found.find("a", "T2"), nullptr);
  EXPECT_EQ(found.find("b", "T1"), nullptr);
  EXPECT_EQ(pseudo_labels_hash(found), pseudo_labels_hash(set));
  set.cases[0].hash = "1123456789abcdef";
  EXPECT_NE(pseudo_labels_hash(found), pseudo_labels_hash(set));
  set.cases[0].file = "../a.nii.gz";
  write_pseudo_labels(folder.path(), set);
  EXPECT_THROW(read_pseudo_labels(folder.path()), DataError);
}

}  // namespace
}  // namespace hepar
