#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "hepar/io/manifest.h"
#include "hepar/prep/convert.h"
#include "prep/cohorts.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::convert_alone;
using test::refusal;
using test::small_image;
using test::small_mask;
using test::write_file;
using test::write_image;

class Sources : public ::testing::Test {
 protected:
  Manifest converted(const std::string& source, const fs::path& in) {
    config_.source = source;
    config_.in = in.string();
    config_.out = (folder_.path() / "cohort").string();
    fs::remove_all(config_.out);
    convert_alone(config_);
    return read_manifest(config_.out);
  }

  std::string refused(const std::string& source, const fs::path& in) {
    return refusal(ExitCode::kBadData, [&] { converted(source, in); });
  }

  static const CaseRecord& find(const Manifest& manifest, const std::string& id) {
    const auto found = std::find_if(manifest.cases.begin(), manifest.cases.end(),
                                    [&](const CaseRecord& item) { return item.id == id; });
    if (found == manifest.cases.end()) {
      throw std::runtime_error("no case " + id);
    }
    return *found;
  }

  static std::vector<std::string> names(const CaseRecord& item) {
    std::vector<std::string> found;
    for (const SequenceRecord& sequence : item.sequences) {
      found.push_back(sequence.sequence);
    }
    return found;
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  ConvertConfig config_;
};

TEST_F(Sources, LiqaOf2024GivesDomainStageSplitAndMask) {
  const fs::path train = in_ / "LiQA_training_data";
  write_image(train / "Vendor_A/0007-A-S1/GED4.nii.gz", small_image(1));
  write_image(train / "Vendor_A/0007-A-S1/T1.nii.gz", small_image(2));
  write_image(train / "Vendor_A/0007-A-S1/mask_GED4.nii.gz", small_mask(1));
  write_image(train / "Vendor_A/1053-A-S3/GED4.nii.gz", small_image(3));
  write_image(train / "Vendor_B2/1053-B2-S3/GED4.nii.gz", small_image(4));
  write_image(in_ / "LiQA_val/Data/Vendor_B1/0100-B1/GED4.nii.gz", small_image(5));

  const Manifest manifest = converted("liqa", in_);

  ASSERT_EQ(manifest.cases.size(), 4u);
  EXPECT_EQ(manifest.labels, (std::map<std::string, int>{{"background", 0}, {"liver", 1}}));
  const CaseRecord& masked = find(manifest, "0007-A-S1");
  EXPECT_EQ(masked.stage, 1);
  EXPECT_EQ(masked.domain, "A");
  EXPECT_EQ(masked.split, "train");
  EXPECT_EQ(masked.label, "manual");
  EXPECT_EQ(names(masked), (std::vector<std::string>{"GED4", "T1"}));
  EXPECT_TRUE(masked.sequences[0].mask.has_value());
  EXPECT_FALSE(masked.sequences[1].mask.has_value());
  EXPECT_NE(find(manifest, "1053-A-S3").patient, find(manifest, "1053-B2-S3").patient);
  const CaseRecord& validation = find(manifest, "0100-B1");
  EXPECT_EQ(validation.split, "val");
  EXPECT_FALSE(validation.stage.has_value());
  EXPECT_EQ(validation.hospital, masked.hospital);  // A and B1 are one hospital
}

TEST_F(Sources, LiqaOf2025TakesAliasesAndOtherSpellings) {
  write_image(in_ / "Vendor-B1/0001-B1-S4/T2WI.nii.gz", small_image(1));
  write_image(in_ / "Vendor-B1/0001-B1-S4/DWI_600.nii.gz", small_image(2));
  write_image(in_ / "VendorC/0002-C/GED4.nii", small_image(3));
  write_image(in_ / "VendorC/0002-C/DWI_800.nii.gz", small_image(4));
  write_image(in_ / "VendorC/0002-C/DWI_400.nii.gz", small_image(5));
  write_file(in_ / "VendorC/0002-C/readme.txt", "x");

  const Manifest manifest = converted("liqa", in_);

  const CaseRecord& first = find(manifest, "0001-B1-S4");
  EXPECT_EQ(names(first), (std::vector<std::string>{"DWI_800", "T2"}));
  EXPECT_EQ(first.sequences[0].notes.at(0), "'DWI_600' taken as DWI_800");
  EXPECT_EQ(first.sequences[1].notes.at(0), "'T2WI' taken as T2");
  EXPECT_EQ(first.split, "train");
  const CaseRecord& second = find(manifest, "0002-C");
  EXPECT_EQ(names(second), (std::vector<std::string>{"DWI_800", "GED4"}));
  EXPECT_EQ(second.sequences[0].source_file, "VendorC/0002-C/DWI_800.nii.gz");
}

TEST_F(Sources, LiqaTestFoldersAreIdOrOod) {
  write_image(in_ / "LiQA_test/Vendor-A/0001-A/GED4.nii.gz", small_image(1));
  write_image(in_ / "LiQA_test/Vendor-C/0002-C/GED4.nii.gz", small_image(2));
  write_image(in_ / "LiQA_test_OOD/Vendor-B2/0003-B2/GED4.nii.gz", small_image(3));

  const Manifest manifest = converted("liqa", in_);

  EXPECT_EQ(find(manifest, "0001-A").split, "test_id");
  EXPECT_EQ(find(manifest, "0002-C").split, "test_ood");
  EXPECT_EQ(find(manifest, "0003-B2").split, "test_ood");
}

TEST_F(Sources, LiqaSplitMayBeTheInputFolderItself) {
  const fs::path val = in_ / "LiQA_val";
  write_image(val / "Data/Vendor_A/0001-A-S2/GED4.nii.gz", small_image(1));

  EXPECT_EQ(converted("liqa", val).cases.at(0).split, "val");
}

TEST_F(Sources, LiqaTakesStagesAndMasksFromOutside) {
  const fs::path val = in_ / "LiQA_val";
  write_image(val / "Data/Vendor_A/0001-A/GED4.nii.gz", small_image(1));
  write_image(val / "Data/Vendor_A/0002-A/GED4.nii.gz", small_image(2));
  write_file(val / "info.csv", "Case,Vendor,Missing Modality\r\n0001-A,A,DWI_800\r\n0002-A,A\r\n");
  write_file(folder_.path() / "stages.csv", "case,stage\n0001-A,S3\n0002-A,1\n");
  write_image(folder_.path() / "masks/0002-A/mask_GED4.nii.gz", small_mask(2));
  config_.labels = (folder_.path() / "stages.csv").string();
  config_.masks = (folder_.path() / "masks").string();

  const Manifest manifest = converted("liqa", in_);

  EXPECT_EQ(find(manifest, "0001-A").stage, 3);
  EXPECT_EQ(find(manifest, "0002-A").stage, 1);
  EXPECT_EQ(find(manifest, "0001-A").label, "none");
  EXPECT_EQ(find(manifest, "0002-A").label, "manual");

  write_file(folder_.path() / "stages.csv", "case,stage\n0001-B,S3\n");
  EXPECT_TRUE(contains(refused("liqa", in_), "0001-A"));  // the nearest known name
}

TEST_F(Sources, LiqaNamesWhatItCannotUse) {
  write_image(in_ / "Vendor_A/0001-A-S7/GED4.nii.gz", small_image(1));
  write_image(in_ / "Vendor_A/0002-B1-S1/GED4.nii.gz", small_image(2));
  write_image(in_ / "Vendor_A/patient3/GED4.nii.gz", small_image(3));
  write_image(in_ / "Vendor_A/0004-A-S1/T2.nii.gz", small_image(4));
  write_image(in_ / "Vendor_A/0004-A-S1/T2WI.nii.gz", small_image(5));
  write_image(in_ / "Vendor_A/0005-A-S1/T2.nii.gz", small_image(6));
  write_image(in_ / "Vendor_A/0005-A-S1/mask_GED4.nii.gz", small_mask(6));
  fs::create_directories(in_ / "Vendor_A/0006-A-S1");

  const std::string text = refused("liqa", in_);

  for (const std::string part : {"found S7", "is of vendor B1", "patient3: wanted a case folder",
                                 "a second T2", "a mask without its image", "found none"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
}

TEST_F(Sources, LiqaInfoListsACaseWithoutFolder) {
  write_image(in_ / "LiQA_val/Data/Vendor_A/0001-A/GED4.nii.gz", small_image(1));
  write_file(in_ / "LiQA_val/info.csv", "Case,Vendor,Missing Modality\n0009-A,A,\n");

  EXPECT_TRUE(contains(refused("liqa", in_), "0009-A"));
}

TEST_F(Sources, LiqaReadsATrailingAxisOfOneAndRefusesNan) {
  const fs::path folder = in_ / "LiQA_training_data/Vendor_A/0001-A-S1";
  write_image(folder / "GED4.nii", small_image(1));
  std::string bytes = read_text(folder / "GED4.nii");
  bytes[40] = 4;  // dim[0]: four axes, the last one of 1 (dim[4])
  bytes[48] = 1;
  write_file(folder / "GED4.nii", bytes);
  const Manifest manifest = converted("liqa", in_);
  EXPECT_EQ(manifest.cases.at(0).sequences.at(0).grid.size, (SizeVox{6, 5, 7}));
  EXPECT_FALSE(manifest.cases[0].sequences[0].notes.empty());

  Image<float> broken{small_image(2).grid, std::vector<float>(210, 1.0f)};
  write_image(folder / "T1.nii.gz", from_float(broken));
  EXPECT_EQ(converted("liqa", in_).cases.at(0).sequences.size(), 2u);
  broken.voxels[17] = std::numeric_limits<float>::quiet_NaN();
  write_image(folder / "T1.nii.gz", from_float(broken));
  EXPECT_TRUE(contains(refused("liqa", in_), "T1.nii.gz: voxel"));
}

TEST_F(Sources, LiqaNumbersMayRepeatAcrossVendors) {
  write_image(in_ / "Vendor_A/1053-A-S3/GED4.nii.gz", small_image(1));
  write_image(in_ / "Vendor_B2/1053-B2-S3/GED4.nii.gz", small_image(2));
  EXPECT_EQ(converted("liqa", in_).cases.size(), 2u);

  write_image(in_ / "copy/Vendor_A/1053-A-S3/GED4.nii.gz", small_image(3));
  EXPECT_TRUE(contains(refused("liqa", in_), "two cases have the id '1053-A-S3'"));
  fs::remove_all(in_ / "copy");
  write_image(in_ / "LiQA_val/Data/Vendor_A/0009-A/GED4.nii.gz", small_image(2));
  const std::string text = refused("liqa", in_);  // one image in two splits
  EXPECT_TRUE(contains(text, "0009-A") && contains(text, "1053-B2-S3") && contains(text, "(val)"))
      << text;
  config_.allow_equal = {"0009-A", "1053-B2-S3"};
  EXPECT_EQ(converted("liqa", in_).cases.size(), 3u);
}

TEST_F(Sources, NnunetChannelsAreSequencesOfOneCase) {
  for (int i = 0; i < 2; ++i) {
    const std::string id = i == 0 ? "p0" : "p1";
    write_image(in_ / ("imagesTr/" + id + "_0000.nii.gz"), small_image(i));
    StoredImage second = small_image(i + 10);
    second.grid = small_image(i).grid;
    write_image(in_ / ("imagesTr/" + id + "_0001.nii.gz"), second);
    write_image(in_ / ("labelsTr/" + id + ".nii.gz"), small_mask(i, 2));
  }
  write_file(in_ / "dataset.json",
             R"({"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".nii.gz",
                 "labels": {"background": 0, "liver": 1, "ignore": 2}, "numTraining": 2})");

  const Manifest manifest = converted("nnunet", in_);

  ASSERT_EQ(manifest.cases.size(), 2u);
  EXPECT_EQ(names(manifest.cases[0]), (std::vector<std::string>{"T1", "T2"}));
  EXPECT_TRUE(manifest.cases[0].sequences[1].mask.has_value());
  EXPECT_EQ(manifest.labels.at("ignore"), 2);

  fs::remove(in_ / "imagesTr/p1_0001.nii.gz");
  EXPECT_TRUE(contains(refused("nnunet", in_), "p1_0001.nii.gz"));
  write_image(in_ / "imagesTr/p1_0001.nii.gz", small_image(30));
  EXPECT_TRUE(contains(refused("nnunet", in_), "another grid"));
}

TEST_F(Sources, NnunetVersion1AndRegions) {
  write_image(in_ / "imagesTr/a.nii.gz", small_image(1));
  write_image(in_ / "labelsTr/a.nii.gz", small_mask(1));
  write_file(in_ / "dataset.json",
             R"({"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "liver"}})");
  const Manifest manifest = converted("nnunet", in_);
  EXPECT_EQ(manifest.cases.at(0).id, "a");
  EXPECT_EQ(manifest.labels.at("liver"), 1);

  write_file(in_ / "dataset.json",
             R"({"channel_names": {"0": "MRI"}, "labels": {"background": 0, "whole": [1, 2]}})");
  EXPECT_TRUE(contains(refused("nnunet", in_), "'whole' is a region"));
  write_file(in_ / "dataset.json",
             R"({"channel_names": {"0": "MRI"}, "labels": {"background": 0, "liver": 2}})");
  EXPECT_TRUE(contains(refused("nnunet", in_), "0, 1, 2"));
}

TEST_F(Sources, TableTakesPathsAndFieldsFromACsv) {
  write_image(in_ / "a/t1.nii.gz", small_image(1));
  write_image(in_ / "a/t2.nii.gz", small_image(2));
  write_image(in_ / "b.nii.gz", small_image(3));
  write_image(in_ / "b_mask.nii.gz", small_mask(3, 2));
  write_file(in_ / "cases.csv",
             "id,image,mask,patient,domain,split,stage,sequence,hospital,vendor\n"
             "a,a/t1.nii.gz,,P1,X,val,2,T1,\"H, south\",V\n"
             "a,a/t2.nii.gz,,P1,X,val,2,T2,\"H, south\",V\n"
             "b,b.nii.gz,b_mask.nii.gz\n");
  config_.classes = {"background", "anterior", "posterior"};

  const Manifest manifest = converted("table", in_ / "cases.csv");

  const CaseRecord& a = find(manifest, "a");
  EXPECT_EQ(names(a), (std::vector<std::string>{"T1", "T2"}));
  EXPECT_EQ(a.hospital, "H, south");
  EXPECT_EQ(a.stage, 2);
  EXPECT_EQ(a.split, "val");
  const CaseRecord& b = find(manifest, "b");
  EXPECT_EQ(b.patient, "b");
  EXPECT_EQ(b.sequences.at(0).sequence, "image");
  EXPECT_EQ(b.sequences[0].source_file, "b.nii.gz");
  EXPECT_EQ(b.label, "manual");
  EXPECT_EQ(manifest.labels.at("posterior"), 2);
}

TEST_F(Sources, TableRefusesWhatItDoesNotKnow) {
  write_image(in_ / "b.nii.gz", small_image(3));
  write_file(in_ / "cases.csv", "id,imaeg\nb,b.nii.gz\n");
  EXPECT_TRUE(contains(refused("table", in_ / "cases.csv"), "did you mean 'image'"));
  write_file(in_ / "cases.csv", "id,image,stage\nb,b.nii.gz,9\n");
  EXPECT_TRUE(contains(refused("table", in_ / "cases.csv"), "cases.csv:2: stage"));
  write_file(in_ / "cases.csv", "id,image\nb,b.nii.gz\nb,b.nii.gz\n");
  EXPECT_TRUE(contains(refused("table", in_ / "cases.csv"), "a second image"));
  write_file(in_ / "cases.csv", "id,image\nb,\"b.nii.gz\n");
  EXPECT_TRUE(contains(refused("table", in_ / "cases.csv"), "quote"));
}

TEST_F(Sources, CasesSelectsASubset) {
  test::write_nnunet_cohort(in_, 4);
  write_file(folder_.path() / "few.txt", "# two of them\ncase_00\ncase_03\n");
  config_.cases = (folder_.path() / "few.txt").string();
  EXPECT_EQ(converted("nnunet", in_).cases.size(), 2u);
  write_file(folder_.path() / "few.txt", "case_00\ncase_99\n");
  EXPECT_TRUE(contains(refused("nnunet", in_), "case_99"));
}

}  // namespace
}  // namespace hepar
