#include "hepar/prep/convert.h"

#include <gtest/gtest.h>

#include <sys/mount.h>
#include <unistd.h>

#include "hepar/image/orientation.h"
#include "hepar/io/manifest.h"
#include "hepar/io/shard.h"
#include "prep/cohorts.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::convert_alone;
using test::nnunet_config;
using test::refusal;

class Convert : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path out_ = folder_.path() / "cohort";
  ConvertConfig config_ = nnunet_config(in_, out_);
};

TEST_F(Convert, KeepsStoredVoxelsInCanonicalOrientation) {
  test::write_nnunet_cohort(in_, 2);

  convert_alone(config_);

  const Manifest manifest = read_manifest(out_);
  ASSERT_EQ(manifest.cases.size(), 2u);
  const SequenceRecord& record = manifest.cases[1].sequences.at(0);
  EXPECT_EQ(record.sequence, "T2");
  EXPECT_EQ(manifest.cases[1].label, "manual");
  EXPECT_EQ(record.source_file, "imagesTr/case_01_0000.nii.gz");
  // Source axes (z, y, x) point posterior, superior, left: canonical z is source y, y is −z, x is
  // −x.
  EXPECT_EQ(record.source_axis, (std::array<int, 3>{1, 0, 2}));
  EXPECT_EQ(record.flipped, (std::array<bool, 3>{false, true, true}));
  EXPECT_EQ(record.grid.size, (SizeVox{6, 5, 7}));
  const ShardReader shard(out_ / manifest.shards.at(0).file);
  const auto bytes = shard.read(record.image.dataset);
  const StoredImage source = test::small_image(1);
  const auto value = [](const std::vector<std::byte>& data, std::int64_t at) {
    std::int16_t voxel = 0;
    std::memcpy(&voxel, data.data() + at * 2, 2);
    return voxel;
  };
  for (std::int64_t z = 0; z < 6; ++z) {
    for (std::int64_t y = 0; y < 5; ++y) {
      for (std::int64_t x = 0; x < 7; ++x) {
        EXPECT_EQ(value(bytes, linear_index({6, 5, 7}, {z, y, x})),
                  value(source.voxels, linear_index({5, 6, 7}, {4 - y, z, 6 - x})));
      }
    }
  }
}

TEST_F(Convert, RunsAgainOnTheSameInputWithoutTouchingAnything) {
  test::write_nnunet_cohort(in_, 2);
  convert_alone(config_);
  const auto written = fs::last_write_time(out_ / "manifest.json");

  convert_alone(config_);

  EXPECT_EQ(fs::last_write_time(out_ / "manifest.json"), written);
}

TEST_F(Convert, RefusesAnOutputMadeFromOtherInput) {
  test::write_nnunet_cohort(in_, 2);
  convert_alone(config_);
  test::write_image(in_ / "imagesTr/case_01_0000.nii.gz", test::small_image(9));

  const std::string text = refusal(ExitCode::kUsage, [&] { convert_alone(config_); });

  EXPECT_TRUE(contains(text, "already there")) << text;
}

TEST_F(Convert, ContinuesAfterAKillAndGivesTheSameBytes) {
  test::write_nnunet_cohort(in_, 6);
  test::write_image(in_ / "imagesTr/big_0000.nii.gz", [] {
    StoredImage image = test::small_image(50);
    image.grid.size = {100, 100, 100};
    image.voxels.assign(2'000'000, std::byte{3});
    return image;
  }());
  test::write_image(in_ / "labelsTr/big.nii.gz", [] {
    LabelImage mask{test::small_image(50).grid, std::vector<std::int16_t>(1'000'000, 0)};
    mask.grid.size = {100, 100, 100};
    return from_labels(mask);
  }());
  config_.shard_mb = 1;  // "big" is a shard of its own, the small cases another
  convert_alone(config_);
  ConvertConfig again = config_;
  again.out = (folder_.path() / "again").string();
  convert_alone(again);
  ASSERT_EQ(read_manifest(out_).shards.size(), 2u);

  // What a kill between the first shard and the rest leaves: no index, one shard and its record.
  const fs::path killed = folder_.path() / "killed.partial";
  ConvertConfig third = config_;
  third.out = (folder_.path() / "killed").string();
  test::write_file(in_ / "labelsTr/case_05.nii.gz", "damaged");
  refusal(ExitCode::kBadData, [&] { convert_alone(third); });
  ASSERT_TRUE(fs::exists(killed / "shards/shard-00000.h5"));
  ASSERT_FALSE(fs::exists(killed / "shards/shard-00001.h5"));
  test::write_file(killed / "shards/.shard-00001.99.tmp.h5", "half a shard");
  const auto first_shard = fs::last_write_time(killed / "shards/shard-00000.h5");
  test::write_image(in_ / "labelsTr/case_05.nii.gz", test::small_mask(5));
  convert_alone(third);

  EXPECT_EQ(fs::last_write_time(third.out + "/shards/shard-00000.h5"), first_shard);
  for (const std::string file :
       {"manifest.json", "shards/shard-00000.h5", "shards/shard-00001.h5"}) {
    EXPECT_EQ(read_bytes(out_ / file), read_bytes(fs::path(again.out) / file)) << file;
    EXPECT_EQ(read_bytes(out_ / file), read_bytes(fs::path(third.out) / file)) << file;
  }
  EXPECT_FALSE(fs::exists(third.out + "/shards/.shard-00001.99.tmp.h5"));
  EXPECT_FALSE(fs::exists(killed));
}

TEST_F(Convert, RedoesAShardWhoseInputChanged) {
  test::write_nnunet_cohort(in_, 3);
  // The state of a killed conversion whose only shard is finished.
  test::write_image(in_ / "imagesTs/copy_0000.nii.gz", test::small_image(0));
  refusal(ExitCode::kBadData, [&] { convert_alone(config_); });
  ASSERT_TRUE(fs::exists(out_.string() + ".partial/records/0.json"));
  test::write_image(in_ / "imagesTs/copy_0000.nii.gz", test::small_image(20));
  test::write_image(in_ / "imagesTr/case_02_0000.nii.gz", [] {
    StoredImage image = test::small_image(2);
    image.voxels[0] = std::byte{77};
    return image;
  }());

  convert_alone(config_);

  const StoredImage wanted = read_nifti(in_ / "imagesTr/case_02_0000.nii.gz");
  const Manifest manifest = read_manifest(out_);
  const SequenceRecord& record = manifest.cases.at(2).sequences.at(0);
  const ShardReader shard(out_ / manifest.shards.at(0).file);
  StoredImage found = wanted;
  found.grid = record.grid;
  found.voxels = shard.read(record.image.dataset);
  EXPECT_EQ(reorient(found, inverse({record.source_axis, record.flipped})).voxels, wanted.voxels);
}

TEST_F(Convert, RefusesEqualImagesUnderDifferentIds) {
  test::write_nnunet_cohort(in_, 3);
  // The same values in another type and slope are the same image.
  StoredImage copy = from_float(to_float(test::small_image(0), "copy"));
  copy.grid.origin = {0, 0, 0};
  test::write_image(in_ / "imagesTs/other_0000.nii.gz", copy);

  const std::string text = refusal(ExitCode::kBadData, [&] { convert_alone(config_); });
  EXPECT_TRUE(contains(text, "case_00")) << text;
  EXPECT_TRUE(contains(text, "other")) << text;
  EXPECT_TRUE(contains(text, "test")) << text;

  config_.allow_equal = {"case_00", "other"};
  convert_alone(config_);
  EXPECT_EQ(read_manifest(out_).cases.size(), 4u);
}

TEST_F(Convert, DryRunWritesNothing) {
  test::write_nnunet_cohort(in_, 2);
  config_.dry_run = true;

  convert_alone(config_);

  EXPECT_FALSE(fs::exists(out_));
  EXPECT_FALSE(fs::exists(out_.string() + ".partial"));
}

TEST_F(Convert, RefusesAFolderThatCannotBeWritten) {
  if (::geteuid() != 0) {
    test::write_nnunet_cohort(in_, 1);
    fs::create_directory(folder_.path() / "locked");
    fs::permissions(folder_.path() / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    config_.out = (folder_.path() / "locked/cohort").string();
  } else {
    test::write_nnunet_cohort(in_, 1);
    config_.out = "/proc/cohort";  // root may write anywhere but into a kernel's file system
  }

  const std::string text = refusal(ExitCode::kBadData, [&] { convert_alone(config_); });

  EXPECT_TRUE(contains(text, config_.out)) << text;
}

/// A file system of 256 KiB, gone at the end.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& at) : at_(at) {
    fs::create_directories(at);
    mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=256k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) {
      ::umount(at_.c_str());
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  SmallDisk(SmallDisk&&) = delete;
  SmallDisk& operator=(SmallDisk&&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  fs::path at_;
  bool mounted_ = false;
};

TEST_F(Convert, LeavesNothingUnderItsNameWhenTheDiskIsFull) {
  const SmallDisk disk(folder_.path() / "disk");
  if (!disk.mounted()) {
    GTEST_SKIP() << "a tmpfs cannot be mounted here (needs root)";
  }
  StoredImage noise = test::small_image(1);
  noise.grid.size = {100, 100, 100};
  noise.voxels.resize(2'000'000);
  std::uint64_t state = 1;
  for (std::byte& byte : noise.voxels) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(state >> 56);
  }
  test::write_image(in_ / "imagesTs/noise_0000.nii.gz", noise);
  test::write_nnunet_cohort(in_, 0);
  config_.out = (folder_.path() / "disk/cohort").string();

  const std::string text = refusal(ExitCode::kBadData, [&] { convert_alone(config_); });

  EXPECT_TRUE(contains(text, "shard-00000")) << text;
  EXPECT_FALSE(fs::exists(config_.out));
  EXPECT_FALSE(fs::exists(config_.out + ".partial/shards/shard-00000.h5"));
}

TEST_F(Convert, WantsSourceInAndOut) {
  config_.source = "liga";
  EXPECT_TRUE(contains(refusal(ExitCode::kUsage, [&] { convert_alone(config_); }), "liqa"));
  config_.source = "nnunet";
  config_.out.clear();
  EXPECT_TRUE(contains(refusal(ExitCode::kUsage, [&] { convert_alone(config_); }), "--out"));
}

}  // namespace
}  // namespace hepar
