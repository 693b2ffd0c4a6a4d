#include "hepar/image/nifti.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <fstream>

#include "hepar/core/json.h"
#include "image/nifti_bytes.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace test::field;  // NOLINT: positions only
using test::Bytes;
using test::put;
using test::refusal;
using test::write_bytes;

Bytes from_base64(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string::npos) {
      continue;  // the padding
    }
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::byte>(bits >> held & 0xffU));
    }
  }
  return bytes;
}

/// Largest distance, over the corners, between the grid and an affine of NIfTI indices (x, y, z).
double corner_distance(const Grid& grid, const std::vector<double>& affine) {
  double largest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double z = (corner & 4) != 0 ? static_cast<double>(grid.size.z - 1) : 0.0;
    const double y = (corner & 2) != 0 ? static_cast<double>(grid.size.y - 1) : 0.0;
    const double x = (corner & 1) != 0 ? static_cast<double>(grid.size.x - 1) : 0.0;
    const WorldMm p = to_world(grid, z, y, x);
    const auto row = [&](std::size_t i) {
      return affine[4 * i] * x + affine[4 * i + 1] * y + affine[4 * i + 2] * z + affine[4 * i + 3];
    };
    largest = std::max(largest, std::hypot(p.r - row(0), p.a - row(1), p.s - row(2)));
  }
  return largest;
}

double stored_value(const StoredImage& image, std::size_t i) {
  return with_voxel_type(image.type, [&](auto zero) {
    decltype(zero) value;
    std::memcpy(&value, image.voxels.data() + i * sizeof(value), sizeof(value));
    return static_cast<double>(value) * image.slope + image.intercept;
  });
}

TEST(ReadNifti, EqualsNibabelForEveryTypeVersionByteOrderAndForm) {
  const Json vectors = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "nifti.json");
  const test::TemporaryFolder folder;
  ASSERT_EQ(vectors["files"].size(), 20U);
  for (const Json& file : vectors["files"]) {
    SCOPED_TRACE(file["name"].get<std::string>());
    const auto path = folder.path() / "image.nii";
    write_bytes(path, from_base64(file["bytes"].get<std::string>()));

    const StoredImage image = read_nifti(path);

    const auto shape = file["shape"].get<std::vector<std::int64_t>>();
    EXPECT_EQ(image.grid.size, (SizeVox{.z = shape[2], .y = shape[1], .x = shape[0]}));
    EXPECT_LT(corner_distance(image.grid, file["affine"].get<std::vector<double>>()), 1e-4);
    const auto values = file["values"].get<std::vector<double>>();
    ASSERT_EQ(static_cast<std::size_t>(count(image.grid.size)), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(stored_value(image, i), values[i]) << "voxel " << i;
    }
    const StoredImage header = read_nifti_header(path);
    EXPECT_EQ(header.grid, image.grid);
    EXPECT_EQ(header.type, image.type);
    EXPECT_THAT(header.voxels, IsEmpty());
  }
}

TEST(ReadNifti, GivesBackWhatWasWritten) {
  const test::TemporaryFolder folder;
  for (const VoxelType type :
       {VoxelType::kUint8, VoxelType::kInt8, VoxelType::kUint16, VoxelType::kInt16,
        VoxelType::kUint32, VoxelType::kInt32, VoxelType::kUint64, VoxelType::kInt64,
        VoxelType::kFloat32, VoxelType::kFloat64}) {
    for (const char* name : {"image.nii", "image.nii.gz"}) {
      SCOPED_TRACE(to_string(type) + " " + name);
      StoredImage image = test::counting_image(type);
      image.slope = 0.5;
      image.intercept = -3;
      write_nifti(folder.path() / name, image);

      const StoredImage read = read_nifti(folder.path() / name);

      EXPECT_TRUE(same_grid(read.grid, image.grid, 1e-4));
      EXPECT_EQ(read.type, type);
      EXPECT_EQ(read.slope, 0.5);
      EXPECT_EQ(read.intercept, -3);
      EXPECT_EQ(read.voxels, image.voxels);
      EXPECT_THAT(read.notes, IsEmpty());
    }
  }
}

TEST(ReadNifti, TakesATrailingOneAndNotesIt) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file();
  put<short>(bytes, kDim, 5);  // the dimensions past the third are written as 1
  const auto path = write_bytes(folder.path() / "five.nii", bytes);

  const StoredImage image = read_nifti(path);

  EXPECT_EQ(image.voxels, test::counting_image().voxels);
  EXPECT_THAT(image.notes, ElementsAre(HasSubstr("5-D (4x3x2x1x1)")));
}

TEST(ReadNifti, TakesSlopeZeroAndNanForUnscaled) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file();
  put(bytes, kSlope, 0.0F);
  put(bytes, kIntercept, 17.0F);
  const StoredImage zero = read_nifti(write_bytes(folder.path() / "zero.nii", bytes));
  EXPECT_EQ(zero.slope, 1);
  EXPECT_EQ(zero.intercept, 0);

  put(bytes, kSlope, std::nanf(""));
  const StoredImage nan = read_nifti(write_bytes(folder.path() / "nan.nii", bytes));
  EXPECT_EQ(nan.slope, 1);
  EXPECT_EQ(nan.intercept, 0);
  EXPECT_THAT(nan.notes, ElementsAre(HasSubstr("scl_slope is nan")));
}

TEST(ReadNifti, ConvertsMetresAndMicrometres) {
  const test::TemporaryFolder folder;
  const Bytes bytes = test::counting_file();
  for (const auto& [code, factor] : {std::pair<char, double>{1, 1e3}, {3, 1e-3}, {0, 1}}) {
    Bytes other = bytes;
    put<char>(other, kUnits, code);
    const StoredImage image = read_nifti(write_bytes(folder.path() / "unit.nii", other));
    EXPECT_NEAR(image.grid.spacing.z, 5 * factor, 1e-6 * factor);
    EXPECT_NEAR(image.grid.origin.s, -300 * factor, 1e-4 * factor);
    EXPECT_EQ(image.notes.size(), factor == 1 ? 0U : 1U);
  }
}

TEST(ReadNifti, TakesQfacZeroForOne) {
  const test::TemporaryFolder folder;
  StoredImage image = test::counting_image();
  image.grid.axis[2] = {1, 0, 0};  // right-handed with axes y, z as they are
  write_nifti(folder.path() / "right.nii", image);
  Bytes bytes = read_bytes(folder.path() / "right.nii");
  ASSERT_EQ(test::get<float>(bytes, kPixdim), 1.0F);
  put(bytes, kPixdim, 0.0F);
  put<short>(bytes, kSformCode, 0);

  EXPECT_TRUE(
      same_grid(read_nifti(write_bytes(folder.path() / "zero.nii", bytes)).grid, image.grid, 1e-4));
}

TEST(ReadNifti, PrefersSformAndAllowsWhatAFloatQuaternionCannotHold) {
  // Turned by 180° about z and tilted by 2e-4: the quaternion's first number is 1e-4, below what
  // sqrt(1−b²−c²−d²) of float32 resolves, so the qform is off by more than 0.01 mm at the corners.
  const test::TemporaryFolder folder;
  StoredImage image = test::counting_image(VoxelType::kUint8);
  const double t = 2e-4;
  image.grid.axis = {WorldMm{0, 0, 1}, WorldMm{std::sin(t), -std::cos(t), 0},
                     WorldMm{-std::cos(t), -std::sin(t), 0}};
  image.grid.size = {.z = 1, .y = 400, .x = 400};
  image.voxels.assign(160000, std::byte{0});
  const auto path = folder.path() / "tilted.nii";
  write_nifti(path, image);

  EXPECT_TRUE(same_grid(read_nifti(path).grid, image.grid, 1e-4));

  Bytes bytes = read_bytes(path);
  put(bytes, kQoffset, test::get<float>(bytes, kQoffset) + 0.02F);
  EXPECT_THAT(refusal(write_bytes(path, bytes)), HasSubstr("qform (code 1) and sform (code 1)"));
  put<short>(bytes, kSformCode, 0);
  const Grid qform_only = read_nifti(write_bytes(path, bytes)).grid;
  EXPECT_FALSE(same_grid(qform_only, image.grid, 0.015));
}

TEST(ReadNifti, ReadsPairsOfEveryCompression) {
  const Bytes bytes = test::counting_file();
  Bytes header(bytes.begin(), bytes.begin() + 348);
  put(header, kMagic + 1, 'i');
  put(header, kVoxOffset, 4.0F);
  const Bytes voxels(bytes.begin() + 348, bytes.end());  // the four bytes before them, too
  for (const bool header_gz : {false, true}) {
    for (const bool voxels_gz : {false, true}) {
      const test::TemporaryFolder folder;
      const auto header_path = folder.path() / (header_gz ? "PAIR.hdr.gz" : "PAIR.hdr");
      const auto voxels_path = folder.path() / (voxels_gz ? "PAIR.img.gz" : "PAIR.img");
      write_bytes(header_path, header_gz ? test::gzip(header) : header);
      write_bytes(voxels_path, voxels_gz ? test::gzip(voxels) : voxels);

      EXPECT_EQ(read_nifti(header_path).voxels, test::counting_image().voxels);
      EXPECT_EQ(read_nifti(voxels_path).voxels, test::counting_image().voxels);
      EXPECT_EQ(read_nifti_header(header_path).grid.size, test::counting_image().grid.size);
    }
  }
}

TEST(WriteNifti, GivesEqualBytesForEqualImages) {
  const test::TemporaryFolder folder;
  write_nifti(folder.path() / "a.nii.gz", test::counting_image());
  write_nifti(folder.path() / "b.nii.gz", test::counting_image());

  const Bytes a = read_bytes(folder.path() / "a.nii.gz");

  EXPECT_EQ(a, read_bytes(folder.path() / "b.nii.gz"));
  EXPECT_EQ(test::get<int>(a, 4), 0);  // gzip's time
}

TEST(WriteNifti, SetsBothFormsAndMillimetres) {
  const test::TemporaryFolder folder;
  const Bytes bytes = test::counting_file();

  EXPECT_EQ(test::get<short>(bytes, kQformCode), 1);
  EXPECT_EQ(test::get<short>(bytes, kSformCode), 1);
  EXPECT_EQ(test::get<char>(bytes, kUnits), 2);
  EXPECT_EQ(test::get<float>(bytes, kVoxOffset), 352.0F);
  EXPECT_EQ(test::get<short>(bytes, kBitpix), 16);
  EXPECT_EQ(test::get<float>(bytes, kSrow + 3 * 4), -12.5F);
}

TEST(WriteNifti, RefusesWhatItCannotWrite) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "image.nii";
  const auto refused = [&](auto change) {
    StoredImage image = test::counting_image();
    change(image);
    EXPECT_THROW(write_nifti(path, image), DataError);
  };
  refused([](StoredImage& image) { image.voxels.pop_back(); });
  refused([](StoredImage& image) { image.slope = 0; });
  refused([](StoredImage& image) { image.grid.spacing.y = -1; });
  refused([](StoredImage& image) { image.grid.origin.a = std::nan(""); });
  refused([](StoredImage& image) { image.grid.size.x = 0; });
  EXPECT_THROW(write_nifti(folder.path() / "image.hdr", test::counting_image()), DataError);
  EXPECT_THROW(write_nifti(folder.path() / "image.mha", test::counting_image()), DataError);
  EXPECT_THROW(write_nifti(folder.path() / "no" / "image.nii", test::counting_image()), DataError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(WriteNifti, LeavesNothingBehindWhenTheDiskIsFull) {
  // A limit on file size stands in for a full disk: write() fails in the same place.
  const test::TemporaryFolder folder;
  StoredImage image = test::counting_image(VoxelType::kUint8);
  image.grid.size = {.z = 64, .y = 64, .x = 64};
  image.voxels.resize(64 * 64 * 64);
  std::uint32_t noise = 1;
  for (std::byte& voxel : image.voxels) {
    noise = noise * 1664525 + 1013904223;
    voxel = static_cast<std::byte>(noise >> 24);
  }
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);

  for (const char* name : {"image.nii", "image.nii.gz"}) {
    try {
      write_nifti(folder.path() / name, image);
      ADD_FAILURE() << name << " was written";
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(name) + ": writing failed"));
    }
  }

  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(WriteNifti, ReplacesAFileOnlyAsAWhole) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "image.nii.gz";
  write_nifti(path, test::counting_image());
  StoredImage bad = test::counting_image();
  bad.voxels.pop_back();
  EXPECT_THROW(write_nifti(path, bad), DataError);

  EXPECT_EQ(read_nifti(path).voxels, test::counting_image().voxels);
}

TEST(NiftiStem, IsTheNameWithoutItsExtension) {
  EXPECT_EQ(nifti_stem("dir/case_01.nii.gz"), "case_01");
  EXPECT_EQ(nifti_stem("case.v2.nii"), "case.v2");
  EXPECT_EQ(nifti_stem("CASE.NII.GZ"), "CASE");
  EXPECT_EQ(nifti_stem("a/b.hdr"), "b");
  EXPECT_EQ(nifti_stem("a/b.img.gz"), "b");
  EXPECT_EQ(nifti_stem("a/b.mha"), "");
  EXPECT_EQ(nifti_stem("a/.nii"), "");
  EXPECT_EQ(nifti_stem("a/nii.gz"), "");
}

TEST(RealNifti, IsReadOrRefusedWithAReason) {
  const auto root = test::real_data();
  if (root.empty()) {
    GTEST_SKIP() << "HEPAR_REAL_DATA is not set";
  }
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || nifti_stem(entry.path()).empty()) {
      continue;
    }
    const std::string reason = refusal(entry.path());
    read += reason.empty() ? 1 : 0;
    EXPECT_TRUE(reason.empty() || reason.size() > entry.path().string().size() + 10) << reason;
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace hepar
