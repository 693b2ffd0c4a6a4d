#include <gtest/gtest.h>

#include "hepar/comm/together.h"
#include "hepar/prep/sets.h"
#include "phantom/phantom_command.h"
#include "prep/cohorts.h"
#include "prep/plans.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::refusal;

/// A folder that rank 0 makes and all ranks see.
class SharedFolder {
 public:
  SharedFolder() : world_(Communicator::world()) {
    if (world_.is_root()) {
      owned_ = std::make_unique<test::TemporaryFolder>();
    }
    path_ = world_.broadcast(owned_ ? owned_->path().string() : "", 0);
  }
  ~SharedFolder() { world_.barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  SharedFolder(SharedFolder&&) = delete;
  SharedFolder& operator=(SharedFolder&&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  Communicator& world() { return world_; }

  /// Work of rank 0 alone; all wait for it.
  template <class Work>
  void root(Work&& work) {
    together(world_, [&] {
      if (world_.is_root()) {
        work();
      }
    });
  }

 private:
  Communicator world_;
  std::unique_ptr<test::TemporaryFolder> owned_;
  fs::path path_;
};

/// Cases large enough that 1 MB shards hold two of them.
void write_large_cohort(const fs::path& in, int cases) {
  test::write_nnunet_cohort(in, cases);
  for (int i = 0; i < cases; ++i) {
    const std::string id = std::string("case_0") + std::to_string(i);
    StoredImage image = test::small_image(i);
    image.grid.size = {30, 80, 80};
    image.voxels.resize(2 * 30 * 80 * 80);
    for (std::size_t b = 0; b < image.voxels.size(); b += 2) {
      image.voxels[b] = static_cast<std::byte>(b * 31 + static_cast<std::size_t>(i));
      image.voxels[b + 1] = std::byte{1};
    }
    LabelImage mask{image.grid, std::vector<std::int16_t>(30 * 80 * 80, 0)};
    std::fill(mask.voxels.begin() + 90'000, mask.voxels.begin() + 100'000, std::int16_t{1});
    write_nifti(in / ("imagesTr/" + id + "_0000.nii.gz"), image);
    write_nifti(in / ("labelsTr/" + id + ".nii.gz"), from_labels(mask));
  }
}

void expect_same_files(const fs::path& a, const fs::path& b) {
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(a)) {
    if (entry.is_regular_file()) {
      const fs::path other = b / entry.path().lexically_relative(a);
      EXPECT_EQ(read_bytes(entry.path()), read_bytes(other)) << other;
      ++files;
    }
  }
  EXPECT_GT(files, 4);
}

TEST(Ranks, WriteTheBytesThatOneRankWrites) {
  SharedFolder folder;
  const fs::path in = folder.path() / "in";
  folder.root([&] { write_large_cohort(in, 7); });
  ConvertConfig many = test::nnunet_config(in, folder.path() / "many");
  many.shard_mb = 1;
  ConvertConfig one = many;
  one.out = (folder.path() / "one").string();
  PrepareConfig prepare_many;
  prepare_many.data = one.out;
  prepare_many.plan = (folder.path() / "plan.yaml").string();
  prepare_many.out = (folder.path() / "prepared_many").string();
  prepare_many.shard_mb = 1;
  PrepareConfig prepare_one = prepare_many;
  prepare_one.out = (folder.path() / "prepared_one").string();
  prepare_one.threads = 1;
  folder.root([&] {
    test::write_file(prepare_many.plan, to_yaml(test::small_plan({"T2"})));
    test::convert_alone(one);
    test::prepare_alone(prepare_one);
  });

  convert(many, folder.world());
  prepare(prepare_many, folder.world());
  verify({many.out}, folder.world());
  verify({prepare_many.out}, folder.world());
  export_set({many.out, (folder.path() / "files").string()}, folder.world());

  folder.root([&] {
    expect_same_files(one.out, many.out);
    expect_same_files(prepare_one.out, prepare_many.out);
    EXPECT_TRUE(fs::exists(folder.path() / "files/case_06/mask_T2.nii.gz"));
    EXPECT_GE(std::distance(fs::directory_iterator(fs::path(one.out) / "shards"), {}), 4);
  });
}

/// DICOM series and PNG masks: folders are read, stamped and hashed as files are.
TEST(Ranks, ConvertDicomToTheSameBytes) {
  SharedFolder folder;
  const fs::path in = folder.path() / "in";
  folder.root([&] {
    run_phantom_command(
        {"--external", "chaos", "--preset", "tiny", "--threads", "1", "--out", in.string()});
  });
  ConvertConfig many;
  many.source = "chaos";
  many.in = (in / "chaos").string();
  many.out = (folder.path() / "many").string();
  many.shard_mb = 1;
  ConvertConfig one = many;
  one.out = (folder.path() / "one").string();
  folder.root([&] { test::convert_alone(one); });

  convert(many, folder.world());
  convert(many, folder.world());  // made from this very input: nothing to do

  folder.root([&] { expect_same_files(one.out, many.out); });
}

TEST(Ranks, AllTellTheProblemsOfAll) {
  SharedFolder folder;
  const fs::path in = folder.path() / "in";
  folder.root([&] {
    write_large_cohort(in, 8);
    for (const std::string id : {"case_00", "case_03", "case_05", "case_07"}) {
      fs::remove(in / ("labelsTr/" + id + ".nii.gz"));
    }
  });
  ConvertConfig config = test::nnunet_config(in, folder.path() / "cohort");
  config.shard_mb = 1;

  const std::string text = refusal(ExitCode::kBadData, [&] { convert(config, folder.world()); });

  std::size_t last = 0;
  for (const std::string id : {"\n  case_00:", "\n  case_03:", "\n  case_05:", "\n  case_07:"}) {
    ASSERT_NE(text.find(id), std::string::npos) << text;
    EXPECT_GT(text.find(id), last);
    last = text.find(id);
  }
  EXPECT_FALSE(fs::exists(config.out));
}

TEST(Ranks, LeaveTogetherWhenTheOutputCannotBeWritten) {
  SharedFolder folder;
  folder.root([&] { test::write_nnunet_cohort(folder.path() / "in", 2); });
  const ConvertConfig config = test::nnunet_config(folder.path() / "in", "/proc/cohort");

  refusal(ExitCode::kBadData, [&] { convert(config, folder.world()); });
}

}  // namespace
}  // namespace hepar
