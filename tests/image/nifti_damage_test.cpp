#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <random>

#include "image/nifti_bytes.h"
#include "support/temporary.h"

// Every damaged copy must be refused with a reason that names what is wrong.

namespace hepar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace test::field;  // NOLINT: positions only
using test::Bytes;
using test::gzip;
using test::put;
using test::refusal;
using test::write_bytes;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Damage {
  const char* name;
  void (*apply)(Bytes&);
  const char* reason;
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

const Damage kDamages[] = {
    {"pixdim_zero", [](Bytes& b) { put(b, kPixdim + 8, 0.0F); }, "pixdim[2] = 0"},
    {"pixdim_negative", [](Bytes& b) { put(b, kPixdim + 4, -0.75F); }, "pixdim[1] = -0.75"},
    {"pixdim_nan", [](Bytes& b) { put(b, kPixdim + 12, kNan); }, "pixdim[3] = nan"},
    {"pixdim_infinite", [](Bytes& b) { put(b, kPixdim + 12, kInfinity); }, "pixdim[3] = inf"},
    {"qfac", [](Bytes& b) { put(b, kPixdim, 0.5F); }, "qfac"},
    {"sform_sheared",
     [](Bytes& b) {  // second column leaned towards the first, its length kept
       put(b, kSrow + 4, 0.125F);
       put(b, kSrow + 16 + 4, 0.8F * 1.24373F);
       put(b, kSrow + 32 + 4, 0.6F * 1.24373F);
     },
     "sheared"},
    {"sform_spacing", [](Bytes& b) { put(b, kSrow, -0.76F); }, "sform column 1 has length 0.76"},
    {"sform_zero_column", [](Bytes& b) { put(b, kSrow, 0.0F); }, "sform column 1 has length 0"},
    {"sform_nan", [](Bytes& b) { put(b, kSrow + 12, kNan); }, "sform has a number"},
    {"conflict_origin", [](Bytes& b) { put(b, kQoffset, -12.52F); },
     "qform (code 1) and sform (code 1)"},
    {"conflict_rotation", [](Bytes& b) { put(b, kQuaternB + 8, 0.3F); },
     "qform (code 1) and sform (code 1)"},
    {"conflict_mirror", [](Bytes& b) { put(b, kPixdim, -test::get<float>(b, kPixdim)); },
     "qform (code 1) and sform (code 1)"},
    {"quaternion_long", [](Bytes& b) { put(b, kQuaternB, 1.5F); }, "quaternion"},
    {"quaternion_nan", [](Bytes& b) { put(b, kQuaternB + 4, kNan); }, "qform has a number"},
    {"qform_code", [](Bytes& b) { put<short>(b, kQformCode, 77); }, "qform_code = 77"},
    {"sform_code", [](Bytes& b) { put<short>(b, kSformCode, -3); }, "sform_code = -3"},
    {"no_orientation",
     [](Bytes& b) {
       put<short>(b, kQformCode, 0);
       put<short>(b, kSformCode, 0);
     },
     "neither qform nor sform"},
    {"units", [](Bytes& b) { put<char>(b, kUnits, 5); }, "xyzt_units"},
    {"dim_count_zero", [](Bytes& b) { put<short>(b, kDim, 0); }, "dim[0] = 0"},
    {"dim_count_huge", [](Bytes& b) { put<short>(b, kDim, 8); }, "dim[0] = 8"},
    {"two_dimensional", [](Bytes& b) { put<short>(b, kDim, 2); }, "wanted a volume"},
    {"dim_zero", [](Bytes& b) { put<short>(b, kDim + 4, 0); }, "4x0x2, wanted every one > 0"},
    {"dim_negative", [](Bytes& b) { put<short>(b, kDim + 6, -2); }, "4x3x-2, wanted every one > 0"},
    {"dims_absurd",
     [](Bytes& b) {
       for (std::size_t i = 1; i <= 3; ++i) {
         put<short>(b, kDim + 2 * i, 32767);
       }
     },
     "wanted 70362301923326 bytes of voxels"},
    {"four_volumes",
     [](Bytes& b) {
       put<short>(b, kDim, 4);
       put<short>(b, kDim + 8, 4);
     },
     "4x3x2x4, wanted one volume"},
    {"fifth_dimension",
     [](Bytes& b) {
       put<short>(b, kDim, 5);
       put<short>(b, kDim + 10, 3);
     },
     "4x3x2x1x3, wanted one volume"},
    {"rgb", [](Bytes& b) { put<short>(b, kDatatype, 128); }, "rgb24"},
    {"rgba", [](Bytes& b) { put<short>(b, kDatatype, 2304); }, "rgba32"},
    {"complex", [](Bytes& b) { put<short>(b, kDatatype, 32); }, "complex64"},
    {"complex128", [](Bytes& b) { put<short>(b, kDatatype, 1792); }, "complex128"},
    {"float128", [](Bytes& b) { put<short>(b, kDatatype, 1536); }, "float128"},
    {"binary", [](Bytes& b) { put<short>(b, kDatatype, 1); }, "(datatype 1)"},
    {"no_type", [](Bytes& b) { put<short>(b, kDatatype, 0); }, "(datatype 0)"},
    {"unknown_type", [](Bytes& b) { put<short>(b, kDatatype, 4711); }, "(datatype 4711)"},
    {"type_of_other_width", [](Bytes& b) { put<short>(b, kDatatype, 16); },
     "wanted 96 bytes of voxels"},
    {"offset_before_header_end", [](Bytes& b) { put(b, kVoxOffset, 348.0F); }, "vox_offset 348"},
    {"offset_zero", [](Bytes& b) { put(b, kVoxOffset, 0.0F); }, "vox_offset 0"},
    {"offset_negative", [](Bytes& b) { put(b, kVoxOffset, -352.0F); }, "vox_offset -352"},
    {"offset_fraction", [](Bytes& b) { put(b, kVoxOffset, 352.5F); }, "vox_offset 352.5"},
    {"offset_nan", [](Bytes& b) { put(b, kVoxOffset, kNan); }, "vox_offset nan"},
    {"offset_past_the_end", [](Bytes& b) { put(b, kVoxOffset, 1e6F); },
     "bytes of voxels from byte 1000000"},
    {"offset_astronomic", [](Bytes& b) { put(b, kVoxOffset, 3e38F); }, "vox_offset 3"},
    {"offset_inside", [](Bytes& b) { put(b, kVoxOffset, 354.0F); }, "found 46"},
    {"slope_infinite", [](Bytes& b) { put(b, kSlope, kInfinity); }, "scl_slope inf"},
    {"intercept_nan", [](Bytes& b) { put(b, kIntercept, kNan); }, "scl_inter nan"},
    {"payload_short", [](Bytes& b) { b.pop_back(); },
     "wanted 48 bytes of voxels from byte 352, found "},
    {"payload_long", [](Bytes& b) { b.push_back(std::byte{0}); }, "48 bytes of voxels"},
    {"payload_missing", [](Bytes& b) { b.resize(352); }, "48 bytes of voxels"},
    {"header_cut", [](Bytes& b) { b.resize(200); }, "the header ends after 200 of 348 bytes"},
    {"three_bytes", [](Bytes& b) { b.resize(3); }, "not a NIfTI file"},
    {"header_length", [](Bytes& b) { put(b, 0, 349); }, "not a NIfTI file"},
    {"analyze", [](Bytes& b) { put(b, kMagic, 0); }, "Analyze"},
    {"magic", [](Bytes& b) { put(b, kMagic, 'x'); }, "magic"},
    {"magic_of_a_pair", [](Bytes& b) { put(b, kMagic + 1, 'i'); }, ".img"},
};

class DamagedNifti : public ::testing::TestWithParam<Damage> {};

TEST_P(DamagedNifti, IsRefusedPlainWithItsReason) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file();
  GetParam().apply(bytes);

  const auto path = write_bytes(folder.path() / "damaged.nii", bytes);

  EXPECT_THAT(refusal(path), AllOf(StartsWith(path.string()), HasSubstr(GetParam().reason)));
}

TEST_P(DamagedNifti, IsRefusedCompressed) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file();
  GetParam().apply(bytes);

  const auto path = write_bytes(folder.path() / "damaged.nii.gz", gzip(bytes));

  EXPECT_THAT(refusal(path), StartsWith(path.string()));
}

INSTANTIATE_TEST_SUITE_P(All, DamagedNifti, ::testing::ValuesIn(kDamages),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(DamagedGzip, IsRefusedWhereverItIsCut) {
  const test::TemporaryFolder folder;
  const Bytes whole = gzip(test::counting_file());
  const auto path = folder.path() / "cut.nii.gz";
  write_bytes(path, whole);
  ASSERT_EQ(refusal(path), "");

  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_bytes(path, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    EXPECT_NE(refusal(path), "") << "cut after " << length << " of " << whole.size() << " bytes";
  }
}

TEST(DamagedGzip, WithAFlippedBitIsNeverReadAsAnotherImage) {
  const test::TemporaryFolder folder;
  const Bytes whole = gzip(test::counting_file());
  const auto path = folder.path() / "flipped.nii.gz";
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x10};
    write_bytes(path, damaged);
    if (!refusal(path).empty()) {
      ++refused;
      continue;
    }
    // A few bits do not matter: gzip's time and system, or which of several equal runs is copied.
    EXPECT_EQ(read_nifti(path).voxels, test::counting_image().voxels) << "byte " << at;
    EXPECT_EQ(read_nifti(path).grid.origin.r, -12.5) << "byte " << at;
  }
  EXPECT_GT(refused, whole.size() - 20);
}

TEST(DamagedGzip, SaysWhatIsWrong) {
  const test::TemporaryFolder folder;
  const Bytes whole = gzip(test::counting_file());
  const auto named = [&](const char* name, const Bytes& bytes) {
    return refusal(write_bytes(folder.path() / name, bytes));
  };
  Bytes half(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2));
  Bytes no_trailer(whole.begin(), whole.end() - 8);
  Bytes wrong_crc = whole;
  wrong_crc[whole.size() - 8] ^= std::byte{1};
  Bytes wrong_length = whole;
  wrong_length[whole.size() - 4] ^= std::byte{1};
  Bytes followed = whole;
  followed.push_back(std::byte{'x'});

  EXPECT_THAT(named("half.nii.gz", half), HasSubstr("cut short"));
  EXPECT_THAT(named("no_trailer.nii.gz", no_trailer), HasSubstr("cut short"));
  EXPECT_THAT(named("crc.nii.gz", wrong_crc), HasSubstr("incorrect data check"));
  EXPECT_THAT(named("length.nii.gz", wrong_length), HasSubstr("incorrect length check"));
  EXPECT_NE(named("followed.nii.gz", followed), "");
  EXPECT_THAT(named("empty.nii.gz", {}), HasSubstr("empty"));
  EXPECT_THAT(named("plain.nii.gz", test::counting_file()), HasSubstr("no gzip data"));
  EXPECT_THAT(named("compressed.nii", whole), HasSubstr("gzip data"));
}

TEST(DamagedGzip, OfTwoMembersIsReadWhole) {
  const test::TemporaryFolder folder;
  const Bytes plain = test::counting_file();
  Bytes members = gzip(Bytes(plain.begin(), plain.begin() + 370));
  const Bytes second = gzip(Bytes(plain.begin() + 370, plain.end()));
  members.insert(members.end(), second.begin(), second.end());

  const auto path = write_bytes(folder.path() / "two.nii.gz", members);

  EXPECT_EQ(read_nifti(path).voxels, test::counting_image().voxels);
}

TEST(DamagedNiftiVoxels, ThatAreNotFiniteAreRefusedWithTheirPosition) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file(VoxelType::kFloat32);
  put(bytes, kVoxels + 4 * (12 + 4 + 3), kNan);
  EXPECT_THAT(refusal(write_bytes(folder.path() / "nan.nii", bytes)), HasSubstr("voxel (1,1,3)"));

  Bytes wide = test::counting_file(VoxelType::kFloat64);
  put(wide, kVoxels, -std::numeric_limits<double>::infinity());
  EXPECT_THAT(refusal(write_bytes(folder.path() / "inf.nii", wide)), HasSubstr("voxel (0,0,0)"));
}

TEST(DamagedNiftiFiles, ThatAreNoImagesAreRefused) {
  const test::TemporaryFolder folder;
  const auto text = folder.path() / "text.nii";
  std::ofstream(text) << "This is not an image, and long enough to hold a header if it were one.\n";
  std::filesystem::create_directory(folder.path() / "folder.nii");

  EXPECT_THAT(refusal(text), HasSubstr("not a NIfTI file"));
  EXPECT_THAT(refusal(folder.path() / "folder.nii"), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(folder.path() / "missing.nii.gz"), HasSubstr("no such file"));
  EXPECT_THAT(refusal(folder.path() / "image.mha"), HasSubstr(".nii"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr(".nii"));
}

TEST(DamagedPair, IsRefused) {
  const test::TemporaryFolder folder;
  const Bytes bytes = test::counting_file();
  Bytes header(bytes.begin(), bytes.begin() + 348);
  const Bytes voxels(bytes.begin() + 352, bytes.end());
  const auto path = write_bytes(folder.path() / "pair.hdr", header);
  EXPECT_THAT(refusal(path), HasSubstr("wanted pair.img or pair.img.gz beside it"));

  write_bytes(folder.path() / "pair.img", voxels);
  EXPECT_THAT(refusal(path), HasSubstr("same file, but it is a .hdr"));
  put(header, kMagic + 1, 'i');
  put(header, kVoxOffset, 0.0F);
  write_bytes(path, header);
  EXPECT_EQ(refusal(path), "");
  EXPECT_EQ(refusal(folder.path() / "pair.img"), "");

  write_bytes(folder.path() / "pair.img", Bytes(voxels.begin(), voxels.end() - 1));
  EXPECT_THAT(refusal(path), AllOf(HasSubstr("pair.img"), HasSubstr("48 bytes of voxels")));
  std::filesystem::remove(path);
  EXPECT_THAT(refusal(folder.path() / "pair.img"), HasSubstr("wanted pair.hdr"));
}

TEST(DamagedPair, WithItsHeadersGzipCutIsRefused) {
  const test::TemporaryFolder folder;
  const Bytes bytes = test::counting_file();
  Bytes header(bytes.begin(), bytes.begin() + 348);
  put(header, kMagic + 1, 'i');
  put(header, kVoxOffset, 0.0F);
  Bytes packed = gzip(header);
  packed.resize(packed.size() - 4);  // all 348 bytes are there, the trailer is not
  write_bytes(folder.path() / "pair.img", Bytes(bytes.begin() + 352, bytes.end()));

  EXPECT_THAT(refusal(write_bytes(folder.path() / "pair.hdr.gz", packed)), HasSubstr("cut short"));
}

TEST(DamagedNifti, OfTheWrongLengthIsRefusedFromItsHeaderAlone) {
  const test::TemporaryFolder folder;
  Bytes bytes = test::counting_file();
  bytes.push_back(std::byte{0});
  const auto path = write_bytes(folder.path() / "long.nii", bytes);
  EXPECT_THROW(read_nifti_header(path), DataError);
  bytes.resize(bytes.size() - 2);
  write_bytes(path, bytes);
  EXPECT_THROW(read_nifti_header(path), DataError);
}

TEST(DamagedNifti2, WithDimensionsThatOverflowIsRefusedBeforeAllocating) {
  const test::TemporaryFolder folder;
  StoredImage image = test::counting_image(VoxelType::kUint8);
  image.grid.size = {.z = 1, .y = 1, .x = 40000};  // past NIfTI-1's 16 bits
  image.voxels.assign(40000, std::byte{1});
  const auto path = folder.path() / "wide.nii";
  write_nifti(path, image);
  ASSERT_EQ(read_nifti(path).grid.size, image.grid.size);
  const Bytes bytes = read_bytes(path);
  ASSERT_EQ(test::get<int>(bytes, 0), 540);
  constexpr std::size_t kDim2 = 16;  // int64[8]

  Bytes overflowing = bytes;
  for (std::size_t i = 1; i <= 3; ++i) {
    put(overflowing, kDim2 + 8 * i, std::int64_t{1} << 31);
  }
  EXPECT_THAT(refusal(write_bytes(path, overflowing)),
              HasSubstr("more bytes than a file can have"));
  Bytes large = bytes;
  put(large, kDim2 + 8, std::int64_t{1} << 45);
  EXPECT_THAT(refusal(write_bytes(path, large)), HasSubstr("bytes of voxels"));
  EXPECT_THAT(refusal(write_bytes(folder.path() / "wide.nii.gz", gzip(large))),
              HasSubstr("at most"));
  Bytes text_mode = bytes;
  text_mode[8] = std::byte{'\n'};
  EXPECT_THAT(refusal(write_bytes(path, text_mode)), HasSubstr("text mode"));
}

TEST(DamagedNifti, NeverCrashesOnRandomBytes) {
  const test::TemporaryFolder folder;
  const Bytes plain = test::counting_file(VoxelType::kFloat32);
  const auto path = folder.path() / "fuzzed.nii";
  std::mt19937 random(7);  // NOLINT: the same bytes every time
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = plain;
    for (std::uint32_t n = 1 + random() % 8; n > 0; --n) {
      // From dim on, so that most rounds get past the first number.
      bytes[kDim + random() % (bytes.size() - kDim)] = static_cast<std::byte>(random());
    }
    write_bytes(path, bytes);
    refused += refusal(path).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace hepar
