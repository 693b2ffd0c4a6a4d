#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/image/nifti.h"
#include "hepar/prep/convert.h"

namespace hepar::test {

/// An int16 image of 5 x 6 x 7 voxels; two different seeds give different voxels. Its axes are
/// those of an LPS file with two axes exchanged, so that canonical orientation has something to do.
inline StoredImage small_image(int seed) {
  StoredImage image;
  image.grid.size = {5, 6, 7};
  image.grid.spacing = {3.0, 1.5, 1.25};
  image.grid.origin = {10.0 + seed, -20.0, 30.0};
  image.grid.axis = {{{0, -1, 0}, {0, 0, 1}, {-1, 0, 0}}};
  image.type = VoxelType::kInt16;
  std::vector<std::int16_t> voxels(static_cast<std::size_t>(count(image.grid.size)));
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<std::int16_t>(static_cast<int>(i * 37 % 101) + seed * 7 + 1);
  }
  const auto bytes = std::as_bytes(std::span(voxels));
  image.voxels.assign(bytes.begin(), bytes.end());
  return image;
}

/// A mask on the same grid: a block of ones.
inline StoredImage small_mask(int seed, int value = 1) {
  LabelImage mask{small_image(seed).grid, {}};
  mask.voxels.assign(static_cast<std::size_t>(count(mask.grid.size)), 0);
  for (std::int64_t z = 1; z < 4; ++z) {
    for (std::int64_t y = 1; y < 4; ++y) {
      for (std::int64_t x = 2; x < 5; ++x) {
        mask.voxels[static_cast<std::size_t>(linear_index(mask.grid.size, {z, y, x}))] =
            static_cast<std::int16_t>(value);
      }
    }
  }
  return from_labels(mask);
}

inline void write_image(const fs::path& path, const StoredImage& image) {
  fs::create_directories(path.parent_path());
  write_nifti(path, image);
}

inline void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// `cases` one-channel cases with masks: folder/imagesTr/case_NN_0000.nii.gz and so on.
inline void write_nnunet_cohort(const fs::path& folder, int cases) {
  for (int i = 0; i < cases; ++i) {
    const std::string id = std::string("case_") + (i < 10 ? "0" : "") + std::to_string(i);
    write_image(folder / "imagesTr" / (id + "_0000.nii.gz"), small_image(i));
    write_image(folder / "labelsTr" / (id + ".nii.gz"), small_mask(i));
  }
  write_file(
      folder / "dataset.json",
      R"({"channel_names": {"0": "T2"}, "labels": {"background": 0, "liver": 1}, "numTraining": )" +
          std::to_string(cases) + R"(, "file_ending": ".nii.gz"})");
}

inline ConvertConfig nnunet_config(const fs::path& in, const fs::path& out) {
  ConvertConfig config;
  config.source = "nnunet";
  config.in = in.string();
  config.out = out.string();
  return config;
}

/// Runs `work`, expects an Error of `code` and returns its text.
template <class Work>
std::string refusal(ExitCode code, Work&& work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(code)) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "wanted an error, nothing was thrown";
  return {};
}

/// convert() by one rank.
inline void convert_alone(const ConvertConfig& config) {
  Communicator self = Communicator::self();
  convert(config, self);
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Changes one byte of a file in place.
inline void flip_byte(const fs::path& path, std::uintmax_t at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(at));
  const char old = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(old ^ 0x10));
}

}  // namespace hepar::test
