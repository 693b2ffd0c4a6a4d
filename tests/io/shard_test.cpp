#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/random.h"
#include "hepar/io/shard.h"
#include "support/temporary.h"

// HDF5 1.10 does not free what it had read when it refuses damaged metadata.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace hepar {
namespace {

/// Smooth like an image, so that it compresses, and different in every voxel's neighbourhood.
std::vector<std::int16_t> wavy(std::int64_t n, int phase = 0) {
  std::vector<std::int16_t> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    values[static_cast<std::size_t>(i)] =
        static_cast<std::int16_t>(900 * std::sin(0.01 * static_cast<double>(i + phase)) + i % 7);
  }
  return values;
}

const ArrayShape kVolume{{37, 50, 41}, {16, 32, 32}, VoxelType::kInt16};
constexpr std::int64_t kVoxels = 37 * 50 * 41;

void write_volume(const fs::path& path, Compressor compressor = Compressor::kLz4, int threads = 1) {
  const auto values = wavy(kVoxels);
  ShardWriter writer(path, compressor, threads);
  writer.write("/cases/a/image", kVolume, std::as_bytes(std::span(values)));
  writer.close();
}

template <class T>
std::vector<T> as(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& e) {
    return e.what();
  }
  return "";
}

TEST(Shard, ReadsBackWhatWasWrittenInEveryTypeAndCompressor) {
  const test::TemporaryFolder folder;
  for (const Compressor compressor : {Compressor::kLz4, Compressor::kZstd}) {
    for (const VoxelType type :
         {VoxelType::kUint8, VoxelType::kInt8, VoxelType::kUint16, VoxelType::kInt16,
          VoxelType::kUint32, VoxelType::kInt32, VoxelType::kUint64, VoxelType::kInt64,
          VoxelType::kFloat32, VoxelType::kFloat64}) {
      const fs::path path = folder.path() / "s.h5";
      std::vector<std::byte> data(5 * 7 * 11 * bytes_per_voxel(type));
      RandomStream random({.seed = 7});
      for (std::byte& b : data) {
        b = static_cast<std::byte>(random.next_u32());
      }

      ShardWriter writer(path, compressor);
      const std::string hash = writer.write("/x", {{5, 7, 11}, {2, 4, 11}, type}, data);
      writer.close();
      const ShardReader reader(path);

      EXPECT_EQ(reader.read("/x"), data) << to_string(type);
      EXPECT_EQ(reader.shape("/x").type, type);
      EXPECT_EQ(hash, to_hex(xxh64(data)));
    }
  }
}

TEST(Shard, ReadsArraysOfOneToFourAxes) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  const std::vector<ArrayShape> shapes{{{100}, {7}, VoxelType::kInt16},
                                       {{10, 10}, {10, 3}, VoxelType::kInt16},
                                       {{4, 5, 5}, {1, 5, 5}, VoxelType::kInt16},
                                       {{2, 5, 5, 2}, {1, 3, 5, 2}, VoxelType::kInt16}};
  const auto values = wavy(100);
  ShardWriter writer(path, Compressor::kZstd);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    writer.write("/g/" + std::to_string(i), shapes[i], std::as_bytes(std::span(values)));
  }
  writer.close();

  const ShardReader reader(path);

  EXPECT_EQ(reader.datasets(), (std::vector<std::string>{"/g/0", "/g/1", "/g/2", "/g/3"}));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    EXPECT_EQ(as<std::int16_t>(reader.read("/g/" + std::to_string(i))), values);
    EXPECT_EQ(reader.shape("/g/" + std::to_string(i)).chunk, shapes[i].chunk);
  }
}

TEST(Shard, ReadsAnyBoxLikeAWholeArrayCutByHand) {
  const test::TemporaryFolder folder;
  write_volume(folder.path() / "s.h5");
  const ShardReader reader(folder.path() / "s.h5");
  const auto all = wavy(kVoxels);
  RandomStream random({.seed = 3});
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int64_t> start;
    std::vector<std::int64_t> size;
    for (const std::int64_t axis : kVolume.size) {
      start.push_back(random.integer(axis));
      size.push_back(1 + random.integer(axis - start.back()));
    }
    std::vector<std::int16_t> box(static_cast<std::size_t>(size[0] * size[1] * size[2]));

    reader.read_box("/cases/a/image", start, size, std::as_writable_bytes(std::span(box)));

    std::size_t i = 0;
    for (std::int64_t z = 0; z < size[0]; ++z) {
      for (std::int64_t y = 0; y < size[1]; ++y) {
        for (std::int64_t x = 0; x < size[2]; ++x, ++i) {
          const std::int64_t at = ((start[0] + z) * 50 + start[1] + y) * 41 + start[2] + x;
          ASSERT_EQ(box[i], all[static_cast<std::size_t>(at)]);
        }
      }
    }
  }
}

TEST(Shard, ABoxThatLeavesTheArrayIsAMistake) {
  const test::TemporaryFolder folder;
  write_volume(folder.path() / "s.h5");
  const ShardReader reader(folder.path() / "s.h5");
  std::vector<std::byte> out(2 * 2 * 2 * 2);
  const std::vector<std::int64_t> size{2, 2, 2};

  EXPECT_THROW(reader.read_box("/cases/a/image", std::vector<std::int64_t>{36, 0, 0}, size, out),
               ShapeError);
  EXPECT_THROW(reader.read_box("/cases/a/image", std::vector<std::int64_t>{-1, 0, 0}, size, out),
               ShapeError);
  EXPECT_THROW(reader.read_box("/cases/b/image", std::vector<std::int64_t>{0, 0, 0}, size, out),
               DataError);
}

TEST(Shard, PlainHdf5ReadsItThroughTheRegisteredFilter) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  write_volume(path);
  std::vector<std::int16_t> read(kVoxels);

  // The library's own pipeline: chunk index, Fletcher checksum and Blosc all as HDF5 sees them.
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "/cases/a/image", H5P_DEFAULT);
  const herr_t done =
      H5Dread(dataset, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, read.data());
  std::array<unsigned, 7> setting{};
  std::size_t n = setting.size();
  unsigned flags = 0;
  const hid_t creation = H5Dget_create_plist(dataset);
  H5Pget_filter_by_id2(creation, 32001, &flags, &n, setting.data(), 0, nullptr, nullptr);
  H5Pclose(creation);
  H5Dclose(dataset);
  H5Fclose(file);

  // Filter revision, Blosc format, element and chunk bytes, level, bitshuffle, LZ4.
  EXPECT_EQ(setting, (std::array<unsigned, 7>{2, 2, 2, 16 * 32 * 32 * 2, 5, 2, 1}));
  EXPECT_GE(done, 0);
  EXPECT_EQ(read, wavy(kVoxels));
}

TEST(Shard, ReadsWhatPlainHdf5WroteThroughTheFilter) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  write_volume(folder.path() / "register.h5");  // makes the filter known to this process
  const auto values = wavy(kVoxels);
  const std::array<hsize_t, 3> size{37, 50, 41};
  const std::array<hsize_t, 3> chunk{16, 32, 32};
  const std::array<unsigned, 7> setting{2, 2, 2, 16 * 32 * 32 * 2, 5, 2, 5};

  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t space = H5Screate_simple(3, size.data(), nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 3, chunk.data());
  H5Pset_filter(creation, 32001, H5Z_FLAG_OPTIONAL, setting.size(), setting.data());
  const hid_t dataset =
      H5Dcreate2(file, "/x", H5T_STD_I16LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  const herr_t done =
      H5Dwrite(dataset, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
  H5Pclose(access);

  ASSERT_GE(done, 0);
  EXPECT_EQ(as<std::int16_t>(ShardReader(path).read("/x")), values);
}

TEST(Shard, SameArraysGiveTheSameBytesForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  write_volume(folder.path() / "a.h5", Compressor::kZstd, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 keeps times in seconds

  write_volume(folder.path() / "b.h5", Compressor::kZstd, 3);

  EXPECT_EQ(read_bytes(folder.path() / "a.h5"), read_bytes(folder.path() / "b.h5"));
}

TEST(Shard, EightThreadsReadBoxesAtOnce) {
  const test::TemporaryFolder folder;
  write_volume(folder.path() / "s.h5");
  const ShardReader reader(folder.path() / "s.h5");
  const auto all = wavy(kVoxels);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        RandomStream random({.seed = 1, .slot = t});
        for (int round = 0; round < 40; ++round) {
          const std::vector<std::int64_t> start{random.integer(37), random.integer(50), 0};
          const std::vector<std::int64_t> size{1, 1, 41};
          std::vector<std::int16_t> row(41);
          reader.read_box("/cases/a/image", start, size, std::as_writable_bytes(std::span(row)));
          wrong +=
              !std::equal(row.begin(), row.end(), all.begin() + (start[0] * 50 + start[1]) * 41);
        }
      });
    }
  }

  EXPECT_EQ(wrong, 0);
}

/// The file with one byte changed.
void flip(const fs::path& path, std::size_t at, unsigned char mask) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  char c = 0;
  file.seekg(static_cast<std::streamoff>(at));
  file.get(c);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(static_cast<unsigned char>(c) ^ mask));
}

TEST(Shard, AFlippedByteInAChunkNamesFileDatasetAndChunk) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  write_volume(path);
  const auto good = read_bytes(path);
  // Found by what it is: the first Blosc header (format 2, LZ4 format 1, typesize 2, 32 KiB
  // decoded).
  std::size_t chunk = 0;
  for (std::size_t i = 0; i + 8 < good.size() && chunk == 0; ++i) {
    const auto byte = [&](std::size_t k) { return std::to_integer<int>(good[i + k]); };
    if (byte(0) == 2 && byte(1) == 1 && byte(3) == 2 && byte(4) == 0 && byte(5) == 0x80 &&
        byte(6) == 0) {
      chunk = i;
    }
  }
  ASSERT_GT(chunk, 0U);
  for (std::size_t offset = 0; offset < 400; offset += 7) {
    flip(path, chunk + offset, 0x10);

    const std::string message =
        message_of([&] { static_cast<void>(ShardReader(path).read("/cases/a/image")); });

    EXPECT_THAT(message, ::testing::AllOf(::testing::HasSubstr(path.string()),
                                          ::testing::HasSubstr("/cases/a/image"),
                                          ::testing::HasSubstr("chunk 0 of 12")))
        << "byte " << offset;
    flip(path, chunk + offset, 0x10);
  }
}

TEST(Shard, EveryDamagedByteIsAnErrorOrHarmless) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  const auto values = wavy(2000);
  {
    ShardWriter writer(path, Compressor::kLz4);
    writer.write("/cases/a/image", {{10, 10, 20}, {4, 5, 20}, VoxelType::kInt16},
                 std::as_bytes(std::span(values)));
    writer.write("/cases/b/image", {{2000}, {2000}, VoxelType::kInt16},
                 std::as_bytes(std::span(values)));
    writer.close();
  }
  const auto good = read_bytes(path);
  RandomStream random({.seed = 5});
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    const auto mask = static_cast<unsigned char>(1U << random.integer(8));
    flip(path, at, mask);
    try {
      const ShardReader reader(path);
      for (const std::string& name : reader.datasets()) {
        EXPECT_EQ(as<std::int16_t>(reader.read(name)), values) << "byte " << at;
      }
    } catch (const DataError&) {
      ++refused;
    }
    flip(path, at, mask);
  }

  EXPECT_GT(refused, static_cast<int>(good.size()) / 8);
}

TEST(Shard, ATruncatedFileIsRefusedAtAnyLength) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  write_volume(path);
  const auto size = fs::file_size(path);
  for (std::uintmax_t length :
       {std::uintmax_t{0}, std::uintmax_t{7}, std::uintmax_t{48}, size / 4, size / 2, size - 1}) {
    write_volume(path);
    fs::resize_file(path, length);

    EXPECT_THAT(message_of([&] { const ShardReader reader(path); }),
                ::testing::HasSubstr(path.string()))
        << length;
  }
}

TEST(Shard, OtherFilesAreRefusedByName) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  write_atomically(path, std::string(4096, 'x'));

  EXPECT_THAT(message_of([&] { const ShardReader reader(path); }),
              ::testing::HasSubstr("not an HDF5 file"));
  EXPECT_THAT(message_of([&] { const ShardReader reader(folder.path()); }),
              ::testing::HasSubstr("not a regular file"));
  EXPECT_THAT(message_of([&] { const ShardReader reader(folder.path() / "none.h5"); }),
              ::testing::HasSubstr("No such file"));
}

TEST(Shard, TheOldFormatWithoutChecksumsIsRefused) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  H5Fclose(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));

  EXPECT_THAT(message_of([&] { const ShardReader reader(path); }),
              ::testing::HasSubstr("superblock version 0, wanted 2"));
}

TEST(Shard, AChunkNeverWrittenIsNotReadAsZeros) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  const std::array<hsize_t, 1> size{100};
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t space = H5Screate_simple(1, size.data(), nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, size.data());
  H5Dclose(H5Dcreate2(file, "/x", H5T_STD_I16LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
  H5Pclose(access);

  EXPECT_THAT(message_of([&] { const ShardReader reader(path); }),
              ::testing::HasSubstr("/x: chunk 0 of 1 is missing"));
}

TEST(Shard, AWriterThatIsNotClosedLeavesNothing) {
  const test::TemporaryFolder folder;
  {
    ShardWriter writer(folder.path() / "s.h5", Compressor::kLz4);
    const auto values = wavy(100);
    writer.write("/x", {{100}, {100}, VoxelType::kInt16}, std::as_bytes(std::span(values)));
  }

  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Shard, AnUnwritableFolderIsNamed) {
  const fs::path path = "/proc/hepar/s.h5";

  EXPECT_THAT(message_of([&] { ShardWriter(path, Compressor::kLz4); }),
              ::testing::HasSubstr(path.string()));
}

TEST(Shard, AFullDiskIsAnErrorAndLeavesNothing) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "s.h5";
  std::vector<std::int32_t> noise(300000);
  RandomStream random({.seed = 9});
  std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::int32_t>(random()); });
  const auto open_files = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  write_volume(folder.path() / "first.h5");
  fs::remove(folder.path() / "first.h5");
  const auto open_before = open_files();
  ::testing::internal::CaptureStderr();

  // A limit on the file's size fails a write as a full disk does, at a known byte.
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{200000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] {
    ShardWriter writer(path, Compressor::kLz4);
    writer.write("/x", {{300000}, {10000}, VoxelType::kInt32}, std::as_bytes(std::span(noise)));
    writer.close();
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, previous);

  EXPECT_THAT(message, ::testing::HasSubstr(path.string()));
  EXPECT_THAT(message, ::testing::HasSubstr("File too large"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_EQ(open_files(), open_before);
  write_volume(path);  // and the process can go on writing
  EXPECT_EQ(as<std::int16_t>(ShardReader(path).read("/cases/a/image")), wavy(kVoxels));
}

TEST(Shard, WrongShapesAreMistakes) {
  const test::TemporaryFolder folder;
  ShardWriter writer(folder.path() / "s.h5", Compressor::kLz4);
  const auto values = wavy(100);
  const auto bytes = std::as_bytes(std::span(values));

  EXPECT_THROW(writer.write("/x", {{99}, {10}, VoxelType::kInt16}, bytes), ShapeError);
  EXPECT_THROW(writer.write("/x", {{100}, {101}, VoxelType::kInt16}, bytes), ShapeError);
  EXPECT_THROW(writer.write("/x", {{100, 1}, {10}, VoxelType::kInt16}, bytes), ShapeError);
  EXPECT_THROW(writer.write("/x", {{}, {}, VoxelType::kInt16}, bytes), ShapeError);
  EXPECT_THROW(writer.write("/x", {{0}, {1}, VoxelType::kInt16}, {}), ShapeError);
}

}  // namespace
}  // namespace hepar
