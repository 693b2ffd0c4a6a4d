#include <gtest/gtest.h>

#include <functional>
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

/// One kind of damage, done to case_01 of a cohort of three.
struct BadInput {
  std::string name;
  std::function<void(const fs::path& image, const fs::path& mask)> damage;
  std::string reason;  ///< a part of the message
};

void cut_in_half(const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }

/// Overwrites bytes of an uncompressed copy of the image and puts it in the image's place.
void patch_header(const fs::path& image, std::size_t at, const std::vector<float>& values) {
  const fs::path plain = image.parent_path() / "plain.nii";
  write_nifti(plain, read_nifti(image));
  std::vector<std::byte> bytes = read_bytes(plain);
  std::memcpy(bytes.data() + at, values.data(), values.size() * sizeof(float));
  fs::remove(plain);
  // A .nii.gz may hold plain bytes for no reader of ours; so the case gets an uncompressed file of
  // its own.
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string command = "gzip -c > '" + image.string() + "'";
  FILE* pipe = ::popen(command.c_str(), "w");
  ASSERT_NE(pipe, nullptr);
  std::fwrite(text.data(), 1, text.size(), pipe);
  ASSERT_EQ(::pclose(pipe), 0);
}

void with_four_volumes(const fs::path& image) {
  const fs::path plain = image.parent_path() / "plain.nii";
  write_nifti(plain, read_nifti(image));
  std::vector<std::byte> bytes = read_bytes(plain);
  fs::remove(plain);
  const std::int16_t dim[5] = {4, 7, 6, 5, 2};
  std::memcpy(bytes.data() + 40, dim, sizeof(dim));
  std::vector<std::byte> voxels(bytes.begin() + 352, bytes.end());
  bytes.insert(bytes.end(), voxels.begin(), voxels.end());
  fs::remove(image);
  const std::string name = image.string();
  FILE* pipe = ::popen(("gzip -c > '" + name + "'").c_str(), "w");
  ASSERT_NE(pipe, nullptr);
  std::fwrite(bytes.data(), 1, bytes.size(), pipe);
  ASSERT_EQ(::pclose(pipe), 0);
}

std::vector<BadInput> bad_inputs() {
  return {
      {"MissingImage",
       [](const auto& image, const auto&) { fs::rename(image, image.string() + ".gone"); },
       "imagesTr"},
      {"MissingMask", [](const auto&, const auto& mask) { fs::remove(mask); }, "case_01.nii.gz"},
      {"TruncatedGzip", [](const auto& image, const auto&) { cut_in_half(image); }, "case_01_0000"},
      {"NaN",
       [](const auto& image, const auto&) {
         Image<float> values = to_float(test::small_image(1), "x");
         values.voxels[17] = std::numeric_limits<float>::quiet_NaN();
         write_nifti(image, from_float(values));
       },
       "nan"},
      {"MaskOnAnotherGrid",
       [](const auto&, const auto& mask) {
         StoredImage shifted = test::small_mask(1);
         shifted.grid.origin.r += 2;
         write_nifti(mask, shifted);
       },
       "another grid"},
      {"ZeroSpacing", [](const auto& image, const auto&) { patch_header(image, 80, {0.0f}); },
       "pixdim"},
      {"NotOrthonormal",
       [](const auto& image, const auto&) {
         patch_header(image, 280, {-1.25f, 0.9f, 0, 11, 0, 0, -3, -20, 0, 1.5f, 0, 30});
       },
       "case_01_0000"},
      {"FourVolumes", [](const auto& image, const auto&) { with_four_volumes(image); }, "volume"},
      {"UnknownLabel",
       [](const auto&, const auto& mask) { write_nifti(mask, test::small_mask(1, 3)); }, "found 3"},
  };
}

class BadInputs : public ::testing::TestWithParam<BadInput> {};

TEST_P(BadInputs, AreRefusedOrLeftOutByName) {
  const test::TemporaryFolder folder;
  const fs::path in = folder.path() / "in";
  const fs::path out = folder.path() / "cohort";
  test::write_nnunet_cohort(in, 3);
  GetParam().damage(in / "imagesTr/case_01_0000.nii.gz", in / "labelsTr/case_01.nii.gz");
  ConvertConfig config = test::nnunet_config(in, out);

  const std::string text = refusal(ExitCode::kBadData, [&] { convert_alone(config); });
  EXPECT_TRUE(contains(text, "case_01")) << text;
  EXPECT_TRUE(contains(text, GetParam().reason)) << text;
  EXPECT_FALSE(contains(text, "case_00")) << text;
  EXPECT_FALSE(fs::exists(out));

  config.exclude_bad = true;
  convert_alone(config);
  const Manifest manifest = read_manifest(out);
  ASSERT_EQ(manifest.cases.size(), 2u);
  EXPECT_EQ(manifest.cases[1].id, "case_02");
  ASSERT_EQ(manifest.excluded.size(), 1u);
  EXPECT_EQ(manifest.excluded[0].first, "case_01");
  EXPECT_TRUE(contains(manifest.excluded[0].second, GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(Convert, BadInputs, ::testing::ValuesIn(bad_inputs()),
                         [](const auto& input) { return input.param.name; });

TEST(BadInputList, NamesAllBadCasesInOnePass) {
  const test::TemporaryFolder folder;
  const fs::path in = folder.path() / "in";
  test::write_nnunet_cohort(in, 5);
  cut_in_half(in / "imagesTr/case_03_0000.nii.gz");
  fs::remove(in / "labelsTr/case_00.nii.gz");
  write_nifti(in / "labelsTr/case_01.nii.gz", test::small_mask(1, 9));
  write_nifti(in / "labelsTr/stray.nii.gz", test::small_mask(1));

  const std::string text = refusal(ExitCode::kBadData, [&] {
    convert_alone(test::nnunet_config(in, folder.path() / "cohort"));
  });

  std::size_t last = 0;
  for (const std::string id : {"\n  case_00:", "\n  case_01:", "\n  case_03:", "\n  stray:"}) {
    const std::size_t at = text.find(id);
    ASSERT_NE(at, std::string::npos) << id << "\n" << text;
    EXPECT_GT(at, last);
    last = at;
  }
  EXPECT_FALSE(contains(text, "case_02"));
}

TEST(BadInputList, RefusesTwoCasesWithOneId) {
  const test::TemporaryFolder folder;
  const fs::path in = folder.path() / "LiQA";
  test::write_image(in / "LiQA_val/Data/Vendor_A/0001-A/GED4.nii.gz", test::small_image(1));
  test::write_image(in / "LiQA_test/Vendor_A/0001-A/GED4.nii.gz", test::small_image(2));
  test::write_image(in / "LiQA_test/Vendor_A/0002-A/GED4.nii.gz", test::small_image(3));
  ConvertConfig config = test::nnunet_config(in, folder.path() / "cohort");
  config.source = "liqa";

  const std::string text = refusal(ExitCode::kBadData, [&] { convert_alone(config); });
  EXPECT_TRUE(contains(text, "two cases have the id '0001-A'")) << text;
  EXPECT_TRUE(contains(text, "LiQA_val/Data")) << text;
  EXPECT_TRUE(contains(text, "LiQA_test/Vendor_A")) << text;

  config.exclude_bad = true;
  convert_alone(config);
  EXPECT_EQ(read_manifest(config.out).cases.size(), 1u);
}

}  // namespace
}  // namespace hepar
