#include "hepar/data/patch_loader.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "data/prepared_fixture.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar {
namespace {

constexpr SizeVox kPatch{6, 12, 10};

struct LoaderTest : ::testing::Test {
  test::PreparedFixture fixture;
  PreparedSet set{fixture.folder()};

  [[nodiscard]] PatchSampler sampler(bool augmented, SizeVox patch = kPatch) const {
    AugmentationConfig config;
    config.enabled = augmented;
    return {set,
            {0, 1, 2},
            {.seed = 5,
             .global_batch = 4,
             .patch = patch,
             .loader_patch = augmented ? loader_patch_size(config, patch) : patch,
             .sampling = {}}};
  }

  [[nodiscard]] static PatchLoader::Options options(bool augmented) {
    PatchLoader::Options chosen;
    chosen.micro_batches = {{0, 1}, {1, 3}};
    chosen.seed = 5;
    chosen.task.size = kPatch;
    chosen.task.mask_normalised = {false};
    chosen.augmentation.enabled = augmented;
    return chosen;
  }

  /// The batches of steps [first, last).
  [[nodiscard]] std::vector<SegmentationBatch> load(const PatchLoader::Options& chosen,
                                                    std::int64_t last) const {
    const PatchSampler patches = sampler(chosen.augmentation.enabled);
    PatchLoader loader(set, patches, chosen);
    std::vector<SegmentationBatch> all;
    for (std::int64_t step = chosen.first_step; step < last; ++step) {
      for (SegmentationBatch& batch : loader.next()) {
        all.push_back(std::move(batch));
      }
    }
    return all;
  }
};

void expect_equal(const std::vector<SegmentationBatch>& found,
                  std::span<const SegmentationBatch> wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_TRUE(at::equal(found[i].image, wanted[i].image)) << i;
    EXPECT_TRUE(at::equal(found[i].labels, wanted[i].labels)) << i;
  }
}

TEST_F(LoaderTest, BatchesAreTheSampledPatches) {
  const std::vector<SegmentationBatch> batches = load(options(false), 3);
  const PatchSampler patches = sampler(false);

  ASSERT_EQ(batches.size(), 6U);
  EXPECT_EQ(batches[0].image.sizes(), (std::vector<std::int64_t>{1, 1, 6, 12, 10}));
  EXPECT_EQ(batches[1].image.sizes(), (std::vector<std::int64_t>{3, 1, 6, 12, 10}));
  EXPECT_EQ(batches[1].labels.sizes(), (std::vector<std::int64_t>{3, 6, 12, 10}));
  EXPECT_EQ(batches[1].image.scalar_type(), at::kFloat);
  EXPECT_EQ(batches[1].labels.scalar_type(), at::kLong);
  const auto voxels = static_cast<std::size_t>(count(kPatch));
  for (std::int64_t step = 0; step < 3; ++step) {
    for (std::int64_t slot = 0; slot < 4; ++slot) {
      const PatchRequest request = patches.at(step, slot);
      std::vector<float> image(voxels);
      std::vector<std::int16_t> labels(voxels);
      set.read_patch(request.case_index, request.box, image, labels);
      const SegmentationBatch& batch = batches[static_cast<std::size_t>(2 * step + (slot > 0))];
      const auto at = static_cast<std::size_t>(slot > 0 ? slot - 1 : 0) * voxels;
      for (std::size_t i = 0; i < voxels; ++i) {
        ASSERT_EQ(batch.image.const_data_ptr<float>()[at + i], image[i]);
        // Outside the case the loss sees background, as in nnU-Net.
        ASSERT_EQ(batch.labels.const_data_ptr<std::int64_t>()[at + i], std::max<int>(0, labels[i]));
      }
    }
  }
}

TEST_F(LoaderTest, ThreadsAndPrefetchDepthChangeNothing) {
  for (const bool augmented : {false, true}) {
    const std::vector<SegmentationBatch> reference = load(options(augmented), 6);
    for (const int threads : {1, 3}) {
      for (const int prefetch : {1, 4}) {
        PatchLoader::Options other = options(augmented);
        other.threads = threads;
        other.prefetch_steps = prefetch;
        expect_equal(load(other, 6), reference);
      }
    }
    EXPECT_FALSE(at::equal(reference[0].image, reference[2].image));
  }
}

TEST_F(LoaderTest, ALoaderStartedLaterContinuesTheSameSequence) {
  for (const bool augmented : {false, true}) {
    const std::vector<SegmentationBatch> reference = load(options(augmented), 7);
    PatchLoader::Options later = options(augmented);
    later.first_step = 4;
    later.threads = 2;

    expect_equal(load(later, 7), std::span(reference).subspan(8));
  }
}

TEST_F(LoaderTest, ASlotIsTheSameWhateverRankLoadsIt) {
  const std::vector<SegmentationBatch> whole = load(options(true), 2);
  PatchLoader::Options rank = options(true);
  rank.micro_batches = {{2, 2}};

  const std::vector<SegmentationBatch> part = load(rank, 2);

  for (std::size_t step = 0; step < 2; ++step) {
    EXPECT_TRUE(at::equal(part[step].image, whole[2 * step + 1].image.narrow(0, 1, 2)));
  }
}

TEST_F(LoaderTest, AnErrorInAWorkerIsRethrownWithItsCaseEveryTime) {
  const fs::path shard = fixture.folder() / "shards/shard-00000.h5";
  const auto bytes = read_bytes(shard);
  std::ofstream(shard, std::ios::binary | std::ios::in | std::ios::out)
      .write(std::string(bytes.size(), 'x').data(), static_cast<std::streamsize>(bytes.size()));
  const PatchSampler patches(set, {1},
                             {.seed = 5,
                              .global_batch = 4,
                              .patch = kPatch,
                              .loader_patch = kPatch,
                              .sampling = {.foreground_fraction = 0}});
  PatchLoader::Options chosen = options(false);
  chosen.threads = 3;
  PatchLoader loader(set, patches, chosen);
  for (int i = 0; i < 2; ++i) {
    try {
      loader.next();
      FAIL() << "a damaged chunk went unseen";
    } catch (const DataError& e) {
      EXPECT_THAT(e.what(), ::testing::AllOf(::testing::HasSubstr("case 'b', step 0, slot 0: "),
                                             ::testing::HasSubstr(shard.string()),
                                             ::testing::HasSubstr("is damaged")));
    }
  }
}

TEST_F(LoaderTest, ALoaderCanBeDroppedAtAnyTime) {
  const PatchSampler patches = sampler(true);
  for (int round = 0; round < 10; ++round) {
    PatchLoader::Options chosen = options(true);
    chosen.threads = 4;
    chosen.prefetch_steps = 3;
    PatchLoader loader(set, patches, chosen);
    if (round % 2 == 0) {
      loader.next();
    }
  }
}

TEST_F(LoaderTest, ARankWithoutSlotsIsAMistake) {
  const PatchSampler patches = sampler(false);
  PatchLoader::Options chosen = options(false);
  chosen.micro_batches.clear();
  EXPECT_THROW(PatchLoader(set, patches, chosen), ConfigError);
}

}  // namespace
}  // namespace hepar
