#include "hepar/pipeline/voi.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hepar::test {
namespace {

constexpr double kEdgeMm = 10;  // 1 ml a voxel

Grid cubic(SizeVox size, WorldMm origin = {}) {
  return {.size = size, .spacing = {kEdgeMm, kEdgeMm, kEdgeMm}, .origin = origin};
}

LabelImage empty_mask(const Grid& grid) {
  return {grid, std::vector<std::int16_t>(static_cast<std::size_t>(count(grid.size)), 0)};
}

void fill(LabelImage& mask, const BoxVox& box) {
  for (std::int64_t z = 0; z < box.size.z; ++z) {
    for (std::int64_t y = 0; y < box.size.y; ++y) {
      for (std::int64_t x = 0; x < box.size.x; ++x) {
        mask.voxels[static_cast<std::size_t>(
            linear_index(mask.grid.size, {box.start.z + z, box.start.y + y, box.start.x + x}))] = 1;
      }
    }
  }
}

LabelImage block(const Grid& grid, const BoxVox& box) {
  LabelImage mask = empty_mask(grid);
  fill(mask, box);
  return mask;
}

/// Livers of 8 x 10 x 12 = 960 ml.
constexpr BoxVox kLiver{{5, 6, 7}, {8, 10, 12}};
constexpr SizeVox kSize{20, 24, 28};

VoiRule rule() {
  VoiRule rule;
  rule.spacing_mm = kEdgeMm;
  return rule;
}

TEST(Voi, MarginsAreTwoVoxelsLowAndOneHighAndStayInside) {
  const LabelImage mask = block(cubic(kSize), kLiver);

  EXPECT_EQ(mask_box(mask, 2, 1), (BoxVox{{3, 4, 5}, {11, 13, 15}}));
  EXPECT_EQ(mask_box(mask, 100, 100), (BoxVox{{0, 0, 0}, kSize}));
  EXPECT_FALSE(mask_box(empty_mask(cubic(kSize)), 2, 1).has_value());
}

TEST(Voi, APlausibleMaskIsTakenAsItIs) {
  const std::vector<Voi> vois = choose_vois({{"T1", block(cubic(kSize), kLiver)}}, rule(), 1);

  ASSERT_EQ(vois.size(), 1U);
  EXPECT_EQ(vois[0].kind, VoiMask::kOwn);
  EXPECT_EQ(vois[0].box, (BoxVox{{3, 4, 5}, {11, 13, 15}}));
  EXPECT_DOUBLE_EQ(vois[0].figures.volume_ml, 960);
  EXPECT_DOUBLE_EQ(vois[0].figures.component_share, 1);
  EXPECT_EQ(*vois[0].figures.centroid, (WorldMm{125, 105, 85}));  // (x, y, z) = 12.5, 10.5, 8.5
}

TEST(Voi, TheLargestComponentAloneMakesTheBoxUnlessItIsOff) {
  LabelImage mask = block(cubic(kSize), kLiver);
  fill(mask, {{0, 0, 0}, {2, 2, 2}});
  VoiRule all = rule();
  all.largest_component = false;

  EXPECT_EQ(choose_vois({{"T1", mask}}, rule(), 1)[0].box.start, (OffsetVox{3, 4, 5}));
  EXPECT_EQ(choose_vois({{"T1", mask}}, all, 1)[0].box.start, (OffsetVox{0, 0, 0}));
}

TEST(Voi, AnImplausibleMaskIsReplacedByASiblingsInPatientCoordinates) {
  // The second sequence starts 20 mm (two voxels) further in each direction, and its own mask is
  // far too small.
  const Grid shifted = cubic({18, 22, 26}, {20, 20, 20});
  const std::vector<Voi> vois = choose_vois(
      {{"GED4", block(cubic(kSize), kLiver)}, {"T2", block(shifted, {{0, 0, 0}, {3, 3, 3}})}},
      rule(), 1);

  EXPECT_EQ(vois[1].kind, VoiMask::kCarried);
  EXPECT_EQ(vois[1].carried_from, "GED4");
  EXPECT_EQ(vois[1].flags, std::vector<std::string>{"volume"});
  // The liver lies at 3, 4, 5 there; 20 mm around it are two voxels on both sides.
  EXPECT_EQ(vois[1].box, (BoxVox{{1, 2, 3}, {12, 14, 16}}));
  EXPECT_EQ(vois[1].mask.voxels, block(shifted, {{3, 4, 5}, {8, 10, 12}}).voxels);
}

TEST(Voi, WithoutAnyPlausibleMaskTheWholeVolumeStays) {
  const std::vector<Voi> vois = choose_vois(
      {{"T1", empty_mask(cubic(kSize))}, {"T2", empty_mask(cubic({9, 9, 9}))}}, rule(), 1);

  for (const Voi& voi : vois) {
    EXPECT_EQ(voi.kind, VoiMask::kNone);
    EXPECT_EQ(voi.box.size, voi.mask.grid.size);
    EXPECT_EQ(voi.flags, std::vector<std::string>{"empty mask"});
  }
}

TEST(Voi, AMaskInAnotherPlaceThanTheOthersIsNotTaken) {
  const LabelImage right = block(cubic(kSize), kLiver);
  const LabelImage wrong = block(cubic(kSize), {{5, 12, 15}, {8, 10, 12}});  // 100 mm away
  const std::vector<Voi> vois = choose_vois({{"A", right}, {"B", right}, {"C", wrong}}, rule(), 1);

  EXPECT_EQ(vois[2].kind, VoiMask::kCarried);
  EXPECT_EQ(vois[2].flags, std::vector<std::string>{"centroid"});
  EXPECT_NEAR(*vois[2].figures.centroid_offset_mm, 100, 1e-9);
  EXPECT_EQ(vois[0].kind, VoiMask::kOwn);
  // Of two that disagree, neither is known to be wrong.
  EXPECT_EQ(choose_vois({{"A", right}, {"C", wrong}}, rule(), 1)[1].kind, VoiMask::kOwn);
}

TEST(Voi, LargeBoxesAreCutAboutTheirCentre) {
  VoiRule small = rule();
  small.max_size = {5, 100, 8};
  const Voi voi = choose_vois({{"T1", block(cubic(kSize), kLiver)}}, small, 1)[0];

  EXPECT_EQ(voi.box, (BoxVox{{6, 4, 8}, {5, 13, 8}}));
  EXPECT_EQ(voi.flags, std::vector<std::string>{"cut to max_size"});
}

TEST(Voi, CropsAreStandardisedOverTheWholeBox) {
  Image<float> image{cubic({1, 1, 6}), {100, 1, 2, 3, 4, 100}};
  const std::vector<float> crop = standardised_crop(image, {{0, 0, 1}, {1, 1, 4}});

  const double sd = std::sqrt(1.25);  // of 1, 2, 3, 4, divisor n
  ASSERT_EQ(crop.size(), 4U);
  EXPECT_NEAR(crop[0], -1.5 / sd, 1e-6);
  EXPECT_NEAR(crop[3], 1.5 / sd, 1e-6);
  EXPECT_EQ(standardised_crop({cubic({1, 1, 2}), {7, 7}}, {{0, 0, 0}, {1, 1, 2}}),
            (std::vector<float>{0, 0}));
}

TEST(Voi, RecallIsTheShareOfTheTruthInTheBox) {
  const LabelImage truth = block(cubic({4, 4, 4}), {{0, 0, 0}, {2, 2, 2}});

  EXPECT_DOUBLE_EQ(*box_recall(truth, {{0, 0, 0}, {4, 4, 4}}), 1);
  EXPECT_DOUBLE_EQ(*box_recall(truth, {{1, 0, 0}, {3, 4, 4}}), 0.5);
  EXPECT_FALSE(box_recall(empty_mask(cubic({4, 4, 4})), {{0, 0, 0}, {4, 4, 4}}).has_value());
}

}  // namespace
}  // namespace hepar::test
