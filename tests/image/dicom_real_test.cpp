#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/image/dicom.h"
#include "hepar/image/orientation.h"
#include "hepar/image/png.h"
#include "support/temporary.h"

// Against pydicom's decoding and other tools' NIfTI of the same files (tests/oracle/dicom.py).
namespace hepar {
namespace {

namespace fs = std::filesystem;

class DicomReal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (root_.empty()) {
      GTEST_SKIP() << "HEPAR_REAL_DATA is not set";
    }
  }

  fs::path root_ = test::real_data();
  Json vectors_ = read_json(fs::path(HEPAR_TEST_VECTORS) / "dicom.json");
};

std::string hash_of(const StoredImage& image) {
  return to_hex(xxh64(std::span<const std::byte>(image.voxels)));
}

std::vector<std::int64_t> size_of(const StoredImage& image) {
  return {image.grid.size.z, image.grid.size.y, image.grid.size.x};
}

/// Largest distance in mm between a grid's corners and those of an affine (columns x, y, z,
/// origin).
double distance_mm(const Grid& grid, const Json& affine) {
  double largest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double x = (corner & 1) != 0 ? static_cast<double>(grid.size.x - 1) : 0;
    const double y = (corner & 2) != 0 ? static_cast<double>(grid.size.y - 1) : 0;
    const double z = (corner & 4) != 0 ? static_cast<double>(grid.size.z - 1) : 0;
    const WorldMm found = to_world(grid, z, y, x);
    std::array<double, 3> wanted{};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto row = affine.at(i).get<std::vector<double>>();
      wanted[i] = row[0] * x + row[1] * y + row[2] * z + row[3];
    }
    largest = std::max(largest,
                       std::hypot(found.r - wanted[0], found.a - wanted[1], found.s - wanted[2]));
  }
  return largest;
}

TEST_F(DicomReal, SeriesAreThoseOfPydicom) {
  for (const Json& wanted : vectors_.at("series")) {
    const fs::path path = root_ / wanted.at("path").get<std::string>();
    if (!fs::exists(path)) {
      continue;
    }
    const StoredImage image = read_dicom(path);
    EXPECT_EQ(size_of(image), wanted.at("size").get<std::vector<std::int64_t>>()) << path;
    EXPECT_EQ(to_string(image.type), wanted.at("type").get<std::string>()) << path;
    EXPECT_EQ(hash_of(image), wanted.at("xxh64").get<std::string>()) << path;
    EXPECT_LT(distance_mm(image.grid, wanted.at("affine")), 1e-3) << path;
    EXPECT_EQ(read_dicom_header(path).grid, image.grid);
  }
}

TEST_F(DicomReal, ReferencedSeriesHaveTheirReferencesGeometryAndVoxels) {
  int compared = 0;
  for (const Json& wanted : vectors_.at("referenced")) {
    const std::string name = wanted.at("path");
    if (!fs::exists(root_ / name)) {
      continue;
    }
    const StoredImage read = read_dicom(root_ / name);
    const StoredImage image = reorient(read, to_canonical(read.grid));
    EXPECT_EQ(size_of(image), wanted.at("size").get<std::vector<std::int64_t>>()) << name;
    EXPECT_LT(distance_mm(image.grid, wanted.at("affine")), 0.02) << name;
    std::vector<std::int32_t> values;
    for (const float value : to_float(image, name).voxels) {
      values.push_back(static_cast<std::int32_t>(std::nearbyint(value)));
    }
    EXPECT_EQ(to_hex(xxh64(std::as_bytes(std::span(values)))),
              wanted.at("xxh64").get<std::string>())
        << name;
    ++compared;
  }
  EXPECT_GE(compared, fs::exists(root_ / "dicom2nifti_tests") ? 10 : 0);
}

TEST_F(DicomReal, EveryFileGivesPydicomsPixelsOrANamedReason) {
  int equal = 0;
  int refused = 0;
  for (const Json& wanted : vectors_.at("singles")) {
    const std::string name = wanted.at("path");
    if (!fs::exists(root_ / name)) {
      continue;
    }
    try {
      const StoredImage image = read_dicom(root_ / name);
      if (!wanted.at("xxh64").is_null()) {
        EXPECT_EQ(hash_of(image), wanted.at("xxh64").get<std::string>()) << name;
        ++equal;
      }
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find(fs::path(name).filename().string()), std::string::npos);
      ++refused;
    }
  }
  RecordProperty("equal", equal);
  RecordProperty("refused", refused);
  if (fs::exists(root_ / "pydicom_test_files")) {
    EXPECT_GE(equal, 55);
  }
}

TEST_F(DicomReal, EncodingsOfOneImageGiveTheSameVoxels) {
  const fs::path folder = root_ / "dcm_qa_ts/In";
  if (!fs::exists(folder)) {
    GTEST_SKIP() << "dcm_qa_ts is not there";
  }
  std::set<std::string> hashes;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    hashes.insert(hash_of(read_dicom(entry.path())));
    ++files;
  }
  EXPECT_EQ(files, 9);
  EXPECT_EQ(hashes.size(), 1u);
}

TEST_F(DicomReal, ChaosCtLiesOnItsMask) {
  const fs::path folder = root_ / "chaos_ct_eval/Data_3D";
  if (!fs::exists(folder)) {
    GTEST_SKIP() << "chaos_ct_eval is not there";
  }
  const StoredImage stored = read_dicom(folder / "DICOM_anon");
  const PngStack mask = read_png_stack(folder / "Ground");

  EXPECT_NEAR(stored.grid.spacing.z, 2.0, 1e-6);  // SliceThickness says 3.2
  EXPECT_EQ(stored.type, VoxelType::kUint16);
  EXPECT_EQ(stored.intercept, -1000);
  ASSERT_EQ(mask.volume.grid.size, stored.grid.size);
  EXPECT_EQ(mask.bits, 1);
  const Image<float> image = to_float(stored, "ct");
  const SizeVox size = stored.grid.size;
  double sum = 0;
  double voxels = 0;
  OffsetVox at;
  for (at.z = 0; at.z < size.z; ++at.z) {
    for (at.y = 0; at.y < size.y; ++at.y) {
      for (at.x = 0; at.x < size.x; ++at.x) {
        const auto voxel = static_cast<std::size_t>(linear_index(size, at));
        // The PNGs of CHAOS CT descend along the body, our slices ascend.
        const auto label =
            static_cast<std::size_t>(linear_index(size, {size.z - 1 - at.z, at.y, at.x}));
        if (mask.volume.voxels[label] != std::byte{0}) {
          sum += static_cast<double>(image.voxels[voxel]);
          voxels += 1;
        }
      }
    }
  }
  EXPECT_NEAR(sum / voxels, 140, 20);
}

}  // namespace
}  // namespace hepar
