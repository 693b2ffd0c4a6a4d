#include "hepar/image/dicom.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "image/dicom_edit.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::edit_dicom;

/// An oblique int16 volume of three different sizes and spacings.
StoredImage volume(SizeVox size = {5, 4, 3}) {
  StoredImage image;
  const double c = std::cos(0.2);
  const double s = std::sin(0.2);
  image.grid.size = size;
  image.grid.spacing = {4.5, 1.25, 0.75};
  image.grid.origin = {11.5, -20.25, 33};
  image.grid.axis = {{{0, -s, c}, {0, c, s}, {1, 0, 0}}};
  image.type = VoxelType::kInt16;
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(count(size)));
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<std::int16_t>(static_cast<int>(i) * 7 - 100);
  }
  const auto bytes = std::as_bytes(std::span(voxels));
  image.voxels.assign(bytes.begin(), bytes.end());
  return image;
}

DicomSeries series(std::int64_t slices, const std::string& uid = "1.2.3") {
  DicomSeries what{"P1", "T2", "1.2", uid, 3, 80, {}};
  for (std::int64_t i = 0; i < slices; ++i) {
    what.files.push_back("s" + std::to_string(i) + ".dcm");
  }
  return what;
}

class Dicom : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const StoredImage& image,
                 const std::string& uid = "1.2.3") {
    const fs::path path = folder_.path() / name;
    write_dicom_series(path, image, series(image.grid.size.z, uid));
    return path;
  }

  std::string refused(const fs::path& path) {
    try {
      read_dicom(path);
    } catch (const DataError& e) {
      return e.what();
    }
    ADD_FAILURE() << path << " was read";
    return {};
  }

  void expect_refused(const fs::path& path, std::initializer_list<const char*> parts) {
    const std::string text = refused(path);
    for (const char* part : parts) {
      EXPECT_NE(text.find(part), std::string::npos) << "wanted '" << part << "' in: " << text;
    }
  }

  test::TemporaryFolder folder_;
};

void expect_same(const StoredImage& found, const StoredImage& wanted) {
  EXPECT_TRUE(same_grid(found.grid, wanted.grid, 1e-6));
  EXPECT_EQ(found.type, wanted.type);
  EXPECT_EQ(found.slope, wanted.slope);
  EXPECT_EQ(found.intercept, wanted.intercept);
  EXPECT_EQ(found.voxels, wanted.voxels);
}

TEST_F(Dicom, SlicesAreOrderedByPositionNotByName) {
  const StoredImage image = volume();
  const fs::path path = write("a", image);
  fs::rename(path / "s0.dcm", path / "z.dcm");
  fs::rename(path / "s4.dcm", path / "0.dcm");
  fs::rename(path / "s2.dcm", path / "without_extension");
  std::ofstream(path / ".hidden") << "x";
  fs::create_directories(path / "other");

  expect_same(read_dicom(path), image);
  EXPECT_EQ(read_dicom_header(path).grid, read_dicom(path).grid);
  EXPECT_TRUE(read_dicom_header(path).voxels.empty());
}

TEST_F(Dicom, SpacingComesFromPositionsNotFromThickness) {
  const fs::path path = write("a", volume());
  for (int i = 0; i < 5; ++i) {
    edit_dicom(path / ("s" + std::to_string(i) + ".dcm"), {{0x0018, 0x0050, "9.9"}});
  }

  EXPECT_NEAR(read_dicom(path).grid.spacing.z, 4.5, 1e-9);
}

TEST_F(Dicom, EqualInputGivesEqualBytes) {
  write("a", volume());
  write("b", volume());

  EXPECT_EQ(read_bytes(folder_.path() / "a/s3.dcm"), read_bytes(folder_.path() / "b/s3.dcm"));
}

TEST_F(Dicom, SlopeAndInterceptAreKeptBeside) {
  StoredImage image = volume();
  const fs::path path = write("a", image);
  for (int i = 0; i < 5; ++i) {
    edit_dicom(path / ("s" + std::to_string(i) + ".dcm"),
               {{0x0028, 0x1052, "-1000"}, {0x0028, 0x1053, "2.5"}});
  }
  image.slope = 2.5;
  image.intercept = -1000;

  expect_same(read_dicom(path), image);
}

TEST_F(Dicom, DifferentSlopesBecomeRealValues) {
  const fs::path path = write("a", volume());
  edit_dicom(path / "s1.dcm", {{0x0028, 0x1052, "10"}, {0x0028, 0x1053, "0.5"}});

  const StoredImage read = read_dicom(path);

  EXPECT_EQ(read.type, VoxelType::kFloat32);
  const std::vector<float> values = to_float(read, "a").voxels;
  EXPECT_EQ(values[0], -100.0f);
  EXPECT_EQ(values[12], (12 * 7 - 100) * 0.5f + 10);  // the first voxel of slice 1
  EXPECT_EQ(values[24], 24 * 7 - 100.0f);
}

TEST_F(Dicom, AMissingSliceIsNamed) {
  const fs::path path = write("a", volume());
  fs::remove(path / "s2.dcm");

  expect_refused(
      path, {"1 slices are missing between", "s1.dcm", "s3.dcm", "wanted 4.5 mm", "found 9 mm"});
}

TEST_F(Dicom, TwoSlicesAtOnePositionAreNamed) {
  const fs::path path = write("a", volume());
  fs::copy_file(path / "s2.dcm", path / "copy.dcm");

  expect_refused(path, {"one position", "s2.dcm", "copy.dcm", "6 slices at 5 positions"});
}

TEST_F(Dicom, OtherSeriesSizesTypesAndDirectionsAreNamed) {
  const fs::path path = write("a", volume());
  const fs::path other = write("other_series", volume(), "1.2.4");
  const fs::path larger = write("larger", volume({5, 4, 6}));
  StoredImage straight = volume();
  straight.grid.axis = Grid().axis;
  const fs::path turned = write("turned", straight);
  const auto with = [&](const fs::path& file) {
    fs::copy_file(file, path / "s4.dcm", fs::copy_options::overwrite_existing);
  };

  with(other / "s4.dcm");
  expect_refused(path, {"found two", "s4.dcm of 1.2.4"});
  with(larger / "s4.dcm");
  expect_refused(path, {"s4.dcm", "wanted 4 x 3 pixels", "found 4 x 6"});
  with(turned / "s4.dcm");
  expect_refused(path, {"s4.dcm", "lies in another direction than", "s0.dcm"});
  fs::copy_file(write("b", volume()) / "s4.dcm", path / "s4.dcm",
                fs::copy_options::overwrite_existing);
  edit_dicom(path / "s4.dcm", {{0x0028, 0x0030, "1.25\\0.8"}});
  expect_refused(path, {"s4.dcm", "wanted pixels of 0.75 mm", "found 0.8 mm"});
}

TEST_F(Dicom, ATiltedStackIsRefused) {
  const fs::path path = write("a", volume());
  for (int i = 0; i < 5; ++i) {
    StoredImage sheared = volume();
    sheared.grid.origin.r += 0.5 * i;
    const fs::path one = write("shear" + std::to_string(i), sheared);
    const std::string name = "s" + std::to_string(i) + ".dcm";
    fs::copy_file(one / name, path / name, fs::copy_options::overwrite_existing);
  }

  expect_refused(path, {"s1.dcm", "0.5 mm aside", "tilted"});
}

TEST_F(Dicom, UnevenSlicesAndMissingPositionsAreNamed) {
  const fs::path path = write("a", volume());
  edit_dicom(path / "s3.dcm", {{0x0020, 0x0032, ""}});
  expect_refused(path, {"s3.dcm", "no position"});
  edit_dicom(path / "s3.dcm", {{0x0020, 0x0032, "1\\2"}});
  expect_refused(path, {"s3.dcm", "(0020,0032)", "wanted 3 numbers", "'1\\2'"});
}

TEST_F(Dicom, WhatIsNoImageIsNamed) {
  const fs::path path = write("a", volume());
  std::ofstream(path / "readme.txt") << "these are the images";
  expect_refused(path, {"readme.txt", "wanted a DICOM file"});
  fs::remove(path / "readme.txt");
  fs::resize_file(path / "s1.dcm", fs::file_size(path / "s1.dcm") - 10);
  expect_refused(path, {"s1.dcm"});
  fs::resize_file(path / "s1.dcm", 140);
  expect_refused(path, {"s1.dcm"});
  fs::create_directories(folder_.path() / "empty");
  expect_refused(folder_.path() / "empty", {"wanted DICOM files, found none"});
  expect_refused(folder_.path() / "nowhere", {"nowhere", "found nothing"});
}

TEST_F(Dicom, EveryTruncationAndEveryChangedByteEndsInAnErrorOrAnImage) {
  const StoredImage image = volume();
  const fs::path file = folder_.path() / "enhanced.dcm";
  test::write_enhanced_dicom(file, image, {0, 1, 2, 3, 4});
  const std::vector<std::byte> whole = read_bytes(file);
  const std::span<const std::byte> bytes(whole);
  for (std::size_t length = 100; length < whole.size(); length += 17) {
    write_atomically(file, bytes.first(length));
    expect_refused(file, {"enhanced.dcm"});
  }
  for (std::size_t at = 132; at < whole.size(); at += 23) {
    std::vector<std::byte> changed = whole;
    changed[at] ^= std::byte{0x21};
    write_atomically(file, std::span<const std::byte>(changed));
    try {
      EXPECT_LE(read_dicom(file).voxels.size(), whole.size());
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find("enhanced.dcm"), std::string::npos) << e.what();
    }
  }
}

TEST_F(Dicom, ColourAndPackedPixelsAreRefused) {
  const fs::path path = write("a", volume());
  edit_dicom(path / "s0.dcm", {{0x0028, 0x0004, "PALETTE COLOR"}});
  expect_refused(path, {"s0.dcm", "grey", "PALETTE COLOR"});
}

TEST_F(Dicom, CompressedSyntaxesGiveTheSameVoxels) {
  const StoredImage image = volume({3, 16, 24});
  for (const char* syntax : {"1.2.840.10008.1.2.1",      // explicit
                             "1.2.840.10008.1.2.5",      // RLE
                             "1.2.840.10008.1.2.4.70",   // JPEG lossless
                             "1.2.840.10008.1.2.4.80",   // JPEG-LS
                             "1.2.840.10008.1.2.4.90"})  // JPEG 2000 lossless
  {
    const fs::path path = write(syntax, image);
    for (const auto& entry : fs::directory_iterator(path)) {
      test::transcode_dicom(entry.path(), syntax);
    }
    SCOPED_TRACE(syntax);
    expect_same(read_dicom(path), image);
  }
}

TEST_F(Dicom, EnhancedFramesAreOrderedByTheirPositions) {
  const StoredImage image = volume();
  const fs::path path = folder_.path() / "enhanced.dcm";

  test::write_enhanced_dicom(path, image, {3, 0, 4, 1, 2});

  expect_same(read_dicom(path), image);
  test::write_enhanced_dicom(path, image, {3, 0, 4, 1});  // slice 2 left out
  expect_refused(path, {"1 slices are missing", "(frame 4)", "(frame 1)"});
  test::write_enhanced_dicom(path, image, {0, 1, 2, 3, 4, 4});
  expect_refused(path, {"one position", "(frame 5)", "(frame 6)"});
}

TEST_F(Dicom, ASingleImageTakesItsThirdSpacingFromTheHeader) {
  const fs::path path = write("a", volume());

  const StoredImage read = read_dicom(path / "s2.dcm");

  EXPECT_EQ(read.grid.size, (SizeVox{1, 4, 3}));
  EXPECT_EQ(read.grid.spacing.z, 4.5);
  EXPECT_FALSE(read.notes.empty());
}

TEST_F(Dicom, LeftHandedAxesCannotBeWritten) {
  StoredImage image = volume();
  image.grid.axis[2] = {-1, 0, 0};

  EXPECT_THROW(write("a", image), ShapeError);
}

}  // namespace
}  // namespace hepar
