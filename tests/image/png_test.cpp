#include "hepar/image/png.h"

#include <gtest/gtest.h>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "support/temporary.h"

namespace hepar {
namespace {

GreyPng picture(std::uint8_t first) {
  GreyPng image{3, 4, 8, std::vector<std::uint8_t>(12, 0)};
  image.pixels[0] = first;
  image.pixels[7] = 63;
  image.pixels[11] = 252;
  return image;
}

/// A 9 x 2 PNG of one bit, made by another program: a cross of ones in the corners of its rows.
const std::vector<unsigned char> kOneBit{
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
    0x52, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00, 0xa2,
    0x2d, 0xcb, 0x7e, 0x00, 0x00, 0x00, 0x0e, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x6c,
    0x60, 0x60, 0x70, 0x64, 0x00, 0x00, 0x03, 0x0e, 0x00, 0xc3, 0x99, 0xa0, 0x43, 0xdf, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

class Png : public ::testing::Test {
 protected:
  std::string refused(const fs::path& path) {
    try {
      if (fs::is_directory(path)) {
        read_png_stack(path);
      } else {
        read_png(path);
      }
    } catch (const DataError& e) {
      return e.what();
    }
    ADD_FAILURE() << path << " was read";
    return {};
  }

  void expect_refused(const fs::path& path, const std::string& name, const std::string& part) {
    const std::string text = refused(path);
    EXPECT_NE(text.find(name), std::string::npos) << text;
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  test::TemporaryFolder folder_;
};

TEST_F(Png, ReadsWhatItWrites) {
  const fs::path path = folder_.path() / "a.png";
  write_png(path, picture(9));
  const GreyPng read = read_png(path);

  EXPECT_EQ(read.rows, 3);
  EXPECT_EQ(read.columns, 4);
  EXPECT_EQ(read.bits, 8);
  EXPECT_EQ(read.pixels, picture(9).pixels);
  const std::vector<std::byte> bytes = read_bytes(path);
  write_png(path, picture(9));
  EXPECT_EQ(read_bytes(path), bytes);
}

TEST_F(Png, OneBitIsZeroAndOne) {
  const fs::path path = folder_.path() / "one.png";
  write_atomically(path, std::as_bytes(std::span(kOneBit)));

  const GreyPng read = read_png(path);

  EXPECT_EQ(read.bits, 1);
  const std::vector<std::uint8_t> wanted{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0};
  EXPECT_EQ(read.pixels, wanted);
}

TEST_F(Png, AStackIsInTheOrderOfTheLastNumbers) {
  write_png(folder_.path() / "IMG-0004-10.png", picture(10));
  write_png(folder_.path() / "IMG-0004-8.png", picture(8));
  write_png(folder_.path() / "IMG-0004-00012.png", picture(12));

  const PngStack stack = read_png_stack(folder_.path());

  EXPECT_EQ(stack.volume.grid.size, (SizeVox{3, 3, 4}));
  EXPECT_EQ(stack.volume.voxels[0], std::byte{8});
  EXPECT_EQ(stack.volume.voxels[12], std::byte{10});
  EXPECT_EQ(stack.volume.voxels[24], std::byte{12});
}

TEST_F(Png, DamageIsNamed) {
  const fs::path path = folder_.path() / "a.png";
  write_png(path, picture(9));
  std::vector<std::byte> bytes = read_bytes(path);
  for (const std::size_t length : {std::size_t{5}, std::size_t{40}, bytes.size() - 5}) {
    write_atomically(path, std::span<const std::byte>(bytes).first(length));
    expect_refused(path, "a.png", length == 5 ? "something else" : "ends in the middle");
  }
  bytes[45] ^= std::byte{1};
  write_atomically(path, std::span<const std::byte>(bytes));
  expect_refused(path, "a.png", "checksum");
}

TEST_F(Png, StacksThatDoNotFitAreNamed) {
  expect_refused(folder_.path(), folder_.path().string(), "found none");
  write_png(folder_.path() / "a1.png", picture(1));
  write_png(folder_.path() / "b01.png", picture(2));
  expect_refused(folder_.path(), "1.png", "same number");
  fs::remove(folder_.path() / "b01.png");
  GreyPng wide{3, 5, 8, std::vector<std::uint8_t>(15, 0)};
  write_png(folder_.path() / "a2.png", wide);
  expect_refused(folder_.path(), "a2.png", "wanted 3 x 4 pixels");
  fs::remove(folder_.path() / "a2.png");
  write_png(folder_.path() / "mask.png", picture(2));
  expect_refused(folder_.path(), "mask.png", "number");
  fs::remove(folder_.path() / "mask.png");
  write_atomically(folder_.path() / "notes.txt", std::string("x"));
  expect_refused(folder_.path(), "notes.txt", "PNG files only");
}

}  // namespace
}  // namespace hepar
