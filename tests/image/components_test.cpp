#include <hepar/image/components.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include <hepar/core/error.h>

namespace hepar {
namespace {

constexpr SizeVox kSize{3, 4, 5};

std::vector<std::uint8_t> mask_with(const std::vector<OffsetVox>& voxels) {
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(count(kSize)), 0);
  for (const OffsetVox& at : voxels) {
    mask[static_cast<std::size_t>(linear_index(kSize, at))] = 1;
  }
  return mask;
}

std::uint32_t label_at(const Components& components, OffsetVox at) {
  return components.labels[static_cast<std::size_t>(linear_index(kSize, at))];
}

TEST(ConnectedComponents, CornersTouchOnlyWithFullConnectivity) {
  const auto mask = mask_with({{0, 0, 0}, {1, 1, 1}, {2, 1, 1}});

  const Components full = connected_components(mask, kSize, Connectivity::kFull26);
  const Components faces = connected_components(mask, kSize, Connectivity::kFaces6);

  EXPECT_EQ(full.sizes, std::vector<std::int64_t>{3});
  EXPECT_EQ(faces.sizes.size(), 2U);
  EXPECT_EQ(label_at(faces, {1, 1, 1}), label_at(faces, {2, 1, 1}));
  EXPECT_NE(label_at(faces, {0, 0, 0}), label_at(faces, {1, 1, 1}));
}

TEST(ConnectedComponents, AreNumberedFromOneWithTheirSizes) {
  // The two ends of each axis differ, so that a swapped axis order joins or splits something.
  const auto mask = mask_with({{0, 0, 0}, {0, 0, 1}, {0, 3, 0}, {2, 3, 4}, {2, 3, 3}, {2, 2, 3}});

  const Components components = connected_components(mask, kSize, Connectivity::kFaces6);

  auto sizes = components.sizes;
  std::sort(sizes.begin(), sizes.end());
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(components.sizes[label_at(components, {2, 2, 3}) - 1], 3);
  EXPECT_EQ(components.sizes[label_at(components, {0, 3, 0}) - 1], 1);
  EXPECT_EQ(label_at(components, {1, 1, 1}), 0U);
}

TEST(ConnectedComponents, OfAnEmptyMaskAreNone) {
  const Components components = connected_components(mask_with({}), kSize, Connectivity::kFull26);

  EXPECT_TRUE(components.sizes.empty());
  EXPECT_EQ(std::count(components.labels.begin(), components.labels.end(), 0U), count(kSize));
}

TEST(ConnectedComponents, RefuseAMaskOfAnotherSize) {
  EXPECT_THROW(connected_components(std::vector<std::uint8_t>(59), kSize, Connectivity::kFull26),
               ShapeError);
}

TEST(KeepLargestComponent, DropsTheSmallerOnes) {
  auto mask = mask_with({{0, 0, 0}, {0, 0, 1}, {2, 3, 4}});

  keep_largest_component(mask, kSize);

  EXPECT_EQ(mask, mask_with({{0, 0, 0}, {0, 0, 1}}));
}

TEST(KeepLargestComponent, KeepsAllOfEqualSize) {
  auto mask = mask_with({{0, 0, 0}, {0, 0, 1}, {2, 3, 4}, {2, 3, 3}, {2, 0, 0}});

  keep_largest_component(mask, kSize);

  EXPECT_EQ(mask, mask_with({{0, 0, 0}, {0, 0, 1}, {2, 3, 4}, {2, 3, 3}}));
}

}  // namespace
}  // namespace hepar
