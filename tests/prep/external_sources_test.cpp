#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "hepar/image/dicom.h"
#include "hepar/image/png.h"
#include "hepar/io/manifest.h"
#include "hepar/io/shard.h"
#include "phantom/external.h"
#include "prep/cohorts.h"
#include "sets/arrays.h"
#include "support/temporary.h"

// The sources chaos, amos and atlas on files in their own formats: the phantom's, damaged copies of
// them, and series written here slice by slice.
namespace hepar {
namespace {

using test::contains;
using test::convert_alone;
using test::refusal;
using test::write_file;
using test::write_image;

/// The phantom's external sets, made once.
const fs::path& phantom_sets() {
  static const test::TemporaryFolder kFolder;
  static const fs::path kSets = [] {
    fs::path out = kFolder.path() / "sets";
    phantom::generate_external({3, "tiny", phantom::external_names(), out, 2});
    return out;
  }();
  return kSets;
}

class External : public ::testing::Test {
 protected:
  Manifest converted(const std::string& source, const fs::path& in) {
    config_.source = source;
    config_.in = in.string();
    config_.out = (folder_.path() / "cohort").string();
    fs::remove_all(config_.out);
    fs::remove_all(config_.out + ".partial");
    convert_alone(config_);
    return read_manifest(config_.out);
  }

  void expect_refused(const std::string& source, std::initializer_list<const char*> parts) {
    const std::string text = refusal(ExitCode::kBadData, [&] { converted(source, in_); });
    for (const char* part : parts) {
      EXPECT_TRUE(contains(text, part)) << "wanted '" << part << "' in:\n" << text;
    }
  }

  /// A copy of a phantom's set that may be damaged.
  void copy_of(const std::string& set) {
    fs::remove_all(in_);
    fs::copy(phantom_sets() / set, in_, fs::copy_options::recursive);
  }

  StoredImage array(const Manifest& manifest, const CaseRecord& item, const ArrayRecord& record,
                    const Grid& grid) const {
    const auto shard = static_cast<std::size_t>(item.shard);
    return read_array(ShardReader(fs::path(config_.out) / manifest.shards.at(shard).file), record,
                      grid);
  }

  static const CaseRecord& find(const Manifest& manifest, const std::string& id) {
    const auto found = std::find_if(manifest.cases.begin(), manifest.cases.end(),
                                    [&](const CaseRecord& item) { return item.id == id; });
    if (found == manifest.cases.end()) {
      throw std::runtime_error("no case " + id);
    }
    return *found;
  }

  /// Voxels of a mask file that have one of `values`.
  static std::int64_t count_in(const fs::path& nifti, std::initializer_list<int> values) {
    const LabelImage labels = to_labels(read_nifti(nifti), nifti.string());
    return std::count_if(labels.voxels.begin(), labels.voxels.end(), [&](std::int16_t label) {
      return std::find(values.begin(), values.end(), label) != values.end();
    });
  }

  std::int64_t ones(const Manifest& manifest, const CaseRecord& item) const {
    const SequenceRecord& sequence = item.sequences.at(0);
    const StoredImage mask = array(manifest, item, sequence.mask.value(), sequence.grid);
    EXPECT_TRUE(std::all_of(mask.voxels.begin(), mask.voxels.end(),
                            [](std::byte value) { return std::to_integer<int>(value) <= 1; }));
    return std::count(mask.voxels.begin(), mask.voxels.end(), std::byte{1});
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  ConvertConfig config_;
};

/// A uint16 volume whose voxels are 100 + slice.
StoredImage staircase(std::int64_t slices) {
  StoredImage image;
  image.grid.size = {slices, 4, 5};
  image.grid.spacing = {5, 2, 1.5};
  image.grid.axis = {{{0, 0, 1}, {0, -1, 0}, {-1, 0, 0}}};
  image.type = VoxelType::kUint16;
  for (std::int64_t z = 0; z < slices; ++z) {
    for (int i = 0; i < 20; ++i) {
      image.voxels.push_back(static_cast<std::byte>(100 + z));
      image.voxels.push_back(std::byte{0});
    }
  }
  return image;
}

/// Masks with `value` in the second PNG alone.
void write_masks(const fs::path& folder, int slices, std::uint8_t value) {
  fs::create_directories(folder);
  for (int i = 0; i < slices; ++i) {
    GreyPng png{4, 5, 8, std::vector<std::uint8_t>(20, 0)};
    png.pixels[7] = i == 1 ? value : std::uint8_t{0};
    write_png(folder / (std::string("m_").append(std::to_string(8 + 2 * i)).append(".png")), png);
  }
}

void write_series(const fs::path& folder, const StoredImage& image) {
  DicomSeries series{"P", "d", "1.2", dicom_uid(folder.string()), 1, 0, {}};
  for (std::int64_t i = 0; i < image.grid.size.z; ++i) {
    series.files.push_back(
        std::string("f").append(std::to_string(90 - i)));  // names fall while positions rise
  }
  fs::create_directories(folder.parent_path());
  write_dicom_series(folder, image, series);
}

TEST_F(External, ChaosOfThePhantomHasItsSeriesAndMasks) {
  const Manifest manifest = converted("chaos", phantom_sets() / "chaos");

  ASSERT_EQ(manifest.cases.size(), 3u);
  const CaseRecord& train = find(manifest, "CHAOS_MR_01");
  EXPECT_EQ(train.split, "train");
  EXPECT_EQ(train.label, "manual");
  ASSERT_EQ(train.sequences.size(), 3u);
  const SequenceRecord& in_phase = train.sequences[0];
  const SequenceRecord& out_phase = train.sequences[1];
  EXPECT_EQ(in_phase.sequence, "T1_IN");
  EXPECT_EQ(out_phase.sequence, "T1_OUT");
  EXPECT_EQ(train.sequences[2].sequence, "T2_SPIR");
  EXPECT_EQ(in_phase.mask.value().hash, out_phase.mask.value().hash);
  EXPECT_NE(in_phase.image.hash, out_phase.image.hash);
  EXPECT_EQ(in_phase.image.type, VoxelType::kUint16);
  const double voxel_ml =
      in_phase.grid.spacing.z * in_phase.grid.spacing.y * in_phase.grid.spacing.x / 1000;
  const double liver_ml = static_cast<double>(ones(manifest, train)) * voxel_ml;
  EXPECT_GT(liver_ml, 800);
  EXPECT_LT(liver_ml, 2300);
  const CaseRecord& held_back = find(manifest, "CHAOS_MR_04");
  EXPECT_EQ(held_back.split, "test");
  EXPECT_EQ(held_back.label, "none");
}

TEST_F(External, ChaosMasksLieOnTheSlicesTheyWereDrawnOn) {
  write_series(in_ / "Train_Sets/MR/7/T2SPIR/DICOM_anon", staircase(5));
  write_masks(in_ / "Train_Sets/MR/7/T2SPIR/Ground", 5, 63);
  write_series(in_ / "Train_Sets/CT/7/DICOM_anon", staircase(6));
  write_masks(in_ / "Train_Sets/CT/7/Ground", 6, 255);
  const auto marked = [&](const Manifest& manifest, const std::string& id) {
    const CaseRecord& item = find(manifest, id);
    const SequenceRecord& sequence = item.sequences.at(0);
    const StoredImage image = array(manifest, item, sequence.image, sequence.grid);
    const StoredImage mask = array(manifest, item, sequence.mask.value(), sequence.grid);
    std::vector<int> values;
    for (std::size_t i = 0; i < mask.voxels.size(); ++i) {
      if (mask.voxels[i] != std::byte{0}) {
        values.push_back(std::to_integer<int>(image.voxels[2 * i]));
      }
    }
    return values;
  };

  EXPECT_EQ(converted("chaos", in_).cases.size(), 1u);  // CT only when asked
  config_.ct = true;
  const Manifest manifest = converted("chaos", in_);

  EXPECT_EQ(marked(manifest, "CHAOS_MR_07"), (std::vector<int>{101}));  // PNGs ascend
  EXPECT_EQ(marked(manifest, "CHAOS_CT_07"), (std::vector<int>{104}));  // PNGs descend
}

TEST_F(External, ChaosTakesTheRangesOfTheLiverAlone) {
  write_series(in_ / "MR/7/T2SPIR/DICOM_anon", staircase(5));
  const fs::path masks = in_ / "MR/7/T2SPIR/Ground";
  for (const auto& [grey, label] : std::vector<std::pair<int, int>>{
           {55, -1}, {56, 1}, {70, 1}, {71, -1}, {126, 0}, {189, 0}, {252, 0}, {240, -1}}) {
    fs::remove_all(masks);
    write_masks(masks, 5, static_cast<std::uint8_t>(grey));
    if (label < 0) {
      const std::string wanted = std::string("found ").append(std::to_string(grey));
      expect_refused("chaos", {"Ground: wanted the values 0, 56 to 70", wanted.c_str()});
    } else {
      const Manifest manifest = converted("chaos", in_);
      EXPECT_EQ(ones(manifest, manifest.cases.at(0)), label) << grey;
    }
  }
}

TEST_F(External, ChaosDoesNotDependOnFileNames) {
  const Manifest before = converted("chaos", phantom_sets() / "chaos");
  copy_of("chaos");
  const fs::path series = in_ / "Train_Sets/MR/1/T2SPIR/DICOM_anon";
  std::vector<fs::path> files(fs::directory_iterator(series), {});
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i < files.size(); ++i) {
    fs::rename(
        files[i],
        series / std::string("x").append(std::to_string((i * 7) % files.size())).append(".dcm"));
  }

  const Manifest after = converted("chaos", in_);

  EXPECT_EQ(find(after, "CHAOS_MR_01").sequences[2].image.hash,
            find(before, "CHAOS_MR_01").sequences[2].image.hash);
  EXPECT_EQ(manifest_hash(after), manifest_hash(before));
}

TEST_F(External, DamagedChaosIsNamed) {
  const fs::path spir = in_ / "Train_Sets/MR/1/T2SPIR";
  copy_of("chaos");
  fs::remove(spir / "Ground/IMG-0002-00003.png");
  expect_refused("chaos", {"CHAOS_MR_01", "T2SPIR/Ground: wanted", "masks of"});
  copy_of("chaos");
  fs::remove(spir / "DICOM_anon/IMG-0002-00003.dcm");
  expect_refused("chaos", {"CHAOS_MR_01", "1 slices are missing between", "IMG-0002-00002.dcm"});
  copy_of("chaos");
  fs::copy_file(spir / "DICOM_anon/IMG-0002-00003.dcm", spir / "DICOM_anon/IMG-0002-00099.dcm");
  expect_refused("chaos", {"one position", "IMG-0002-00003.dcm", "IMG-0002-00099.dcm"});
  copy_of("chaos");
  fs::resize_file(spir / "DICOM_anon/IMG-0002-00004.dcm", 900);
  write_file(spir / "Ground/IMG-0002-00001.png", "not a PNG");
  fs::remove_all(in_ / "Train_Sets/MR/2/T1DUAL/Ground");
  expect_refused("chaos", {"IMG-0002-00004.dcm", "CHAOS_MR_02", "wanted the PNG masks"});
}

TEST_F(External, ChaosEchoesMustShareTheGridOfTheirMask) {
  write_series(in_ / "MR/7/T1DUAL/DICOM_anon/InPhase", staircase(5));
  StoredImage moved = staircase(5);
  moved.grid.origin.r += 3;
  write_series(in_ / "MR/7/T1DUAL/DICOM_anon/OutPhase", moved);
  write_masks(in_ / "MR/7/T1DUAL/Ground", 5, 63);

  expect_refused("chaos", {"OutPhase: shares a mask with T1_IN", "another grid"});
}

TEST_F(External, AmosTakesMrByNumberAndTheLiverAlone) {
  const fs::path in = phantom_sets() / "amos";
  const Manifest manifest = converted("amos", in);

  ASSERT_EQ(manifest.cases.size(), 4u);
  for (const CaseRecord& item : manifest.cases) {
    EXPECT_TRUE(item.id > "amos_0500") << item.id;
    EXPECT_EQ(item.label, item.split == "train" ? "manual" : "none");  // validation is held back
  }
  const CaseRecord& first = find(manifest, "amos_0507");
  EXPECT_EQ(first.sequences.at(0).sequence, "MR");
  const std::int64_t liver = count_in(in / "amos22/labelsTr/amos_0507.nii.gz", {6});
  EXPECT_GT(liver, 0);
  EXPECT_EQ(ones(manifest, first), liver);
  config_.ct = true;
  EXPECT_EQ(find(converted("amos", in), "amos_0001").domain, "AMOS_CT");
}

TEST_F(External, AmosNamesWhatDoesNotFit) {
  copy_of("amos");
  fs::remove(in_ / "amos22/imagesVa/amos_0510.nii.gz");
  fs::remove(in_ / "amos22/imagesVa/amos_0509.nii.gz");
  fs::remove(in_ / "amos22/labelsTr/amos_0508.nii.gz");
  expect_refused("amos", {"amos_0509", "validation: lists", "amos_0508"});
  copy_of("amos");
  const fs::path dataset = in_ / "amos22/dataset.json";
  std::string text = read_text(dataset);
  text.replace(text.find("\"liver\""), 7, "\"tiger\"");
  write_file(dataset, text);
  expect_refused("amos", {"dataset.json", "labels.6: wanted liver, found tiger"});
  expect_refused("atlas", {"found"});
}

TEST_F(External, AtlasJoinsLiverAndTumour) {
  const fs::path in = phantom_sets() / "atlas";
  const Manifest manifest = converted("atlas", in);

  ASSERT_EQ(manifest.cases.size(), 2u);
  const CaseRecord& first = find(manifest, "ATLAS_000");
  EXPECT_EQ(first.vendor, "Phantom Aera");
  const fs::path labels = in / "atlas-train-dataset-1.0.1/train/labelsTr/lb0.nii.gz";
  EXPECT_GT(count_in(labels, {2}), 0);
  EXPECT_EQ(ones(manifest, first), count_in(labels, {1, 2}));
}

TEST_F(External, AtlasPairsByNumber) {
  write_image(in_ / "imagesTr/im10.nii.gz", test::small_image(10));
  write_image(in_ / "imagesTr/im02.nii.gz", test::small_image(2));
  write_image(in_ / "labelsTr/lb2.nii.gz", test::small_mask(2, 2));
  write_image(in_ / "labelsTr/lb10.nii.gz", test::small_mask(10, 1));
  const Manifest manifest = converted("atlas", in_);
  EXPECT_EQ(manifest.cases.at(0).id, "ATLAS_002");
  EXPECT_EQ(manifest.cases.at(1).id, "ATLAS_010");

  write_image(in_ / "labelsTr/lb3.nii.gz", test::small_mask(3));
  write_image(in_ / "labelsTr/lb10.nii.gz", test::small_mask(10, 3));
  fs::remove(in_ / "labelsTr/lb2.nii.gz");
  const std::string text = refusal(ExitCode::kBadData, [&] { converted("atlas", in_); });
  EXPECT_TRUE(contains(text, "lb3.nii.gz: a label without an image")) << text;
  EXPECT_TRUE(contains(text, "lb10.nii.gz: wanted the values 0, 1 to 2, found 3")) << text;
  EXPECT_TRUE(contains(text, "lb2.nii.gz")) << text;
}

TEST_F(External, OtherCohortsMustShareNoCaseAndNoImage) {
  converted("atlas", phantom_sets() / "atlas");
  const std::string first = (folder_.path() / "first").string();
  fs::rename(config_.out, first);
  copy_of("atlas");
  const fs::path train = in_ / "atlas-train-dataset-1.0.1/train";
  for (const std::string part : {"imagesTr/im", "labelsTr/lb"}) {
    fs::rename(train / (part + "0.nii.gz"), train / (part + "7.nii.gz"));
  }
  config_.against = {first};

  const std::string text = refusal(ExitCode::kBadData, [&] { converted("atlas", in_); });

  EXPECT_TRUE(contains(text, "two sources cannot claim one case")) << text;  // ATLAS_001
  EXPECT_TRUE(contains(text, "im7.nii.gz has the very voxels of case ATLAS_000")) << text;
  EXPECT_NO_THROW(converted("amos", phantom_sets() / "amos"));
}

TEST_F(External, PhantomGivesTheSameBytesForAnyNumberOfThreads) {
  phantom::generate_external({3, "tiny", phantom::external_names(), folder_.path() / "again", 1});

  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(phantom_sets())) {
    if (entry.is_regular_file()) {
      const fs::path other =
          folder_.path() / "again" / entry.path().lexically_relative(phantom_sets());
      ASSERT_EQ(read_bytes(entry.path()), read_bytes(other)) << other;
      ++files;
    }
  }
  EXPECT_GT(files, 200);
  phantom::generate_external({4, "tiny", {"atlas"}, folder_.path() / "other", 1});
  const fs::path image = "atlas/atlas-train-dataset-1.0.1/train/imagesTr/im0.nii.gz";
  EXPECT_NE(read_bytes(phantom_sets() / image), read_bytes(folder_.path() / "other" / image));
  EXPECT_THROW(phantom::generate_external({4, "tiny", {"duke"}, folder_.path() / "no", 1}),
               ConfigError);
}

}  // namespace
}  // namespace hepar
