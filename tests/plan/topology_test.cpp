#include <hepar/plan/topology.h>

#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/plan/statistics.h>

#include "plan/vectors.h"

namespace hepar {
namespace {

using Triple = std::array<std::int64_t, 3>;
using Triples = std::vector<Triple>;

NetworkOutline cube_network(const std::string& architecture) {
  const bool residual = architecture == "resenc";
  NetworkOutline network;
  network.architecture = architecture;
  network.patch_size = {128, 128, 128};
  network.strides = Triples(6, Triple{2, 2, 2});
  network.strides[0] = {1, 1, 1};
  network.features = {32, 64, 128, 256, 320, 320};
  network.blocks_per_stage =
      residual ? std::vector<std::int64_t>{1, 3, 4, 6, 6, 6} : std::vector<std::int64_t>(6, 2);
  network.convs_per_decoder_level.assign(5, residual ? 1 : 2);
  network.classes = 3;
  return network;
}

TEST(Topology, HalvesACubeUntilFourVoxelsAreLeft) {
  const Topology topology = pool_and_conv_props({1, 1, 1}, {20, 20, 20});

  EXPECT_EQ(topology.strides, (Triples{{1, 1, 1}, {2, 2, 2}, {2, 2, 2}}));
  EXPECT_EQ(topology.kernels, (Triples{{3, 3, 3}, {3, 3, 3}, {3, 3, 3}}));
  EXPECT_EQ(topology.divisor, (SizeVox{4, 4, 4}));
  EXPECT_EQ(topology.patch_size, (SizeVox{20, 20, 20}));
}

TEST(Topology, LeavesACoarseAxisAloneUntilTheOthersHaveCaughtUp) {
  const Topology topology = pool_and_conv_props({4, 1, 1}, {16, 33, 32});

  // 4:1 -> in-plane; 4:2 is exactly the factor 2, so in-plane again; 4:4 -> all.
  EXPECT_EQ(topology.strides, (Triples{{1, 1, 1}, {1, 2, 2}, {1, 2, 2}, {2, 2, 2}}));
  EXPECT_EQ(topology.kernels, (Triples{{1, 3, 3}, {1, 3, 3}, {3, 3, 3}, {3, 3, 3}}));
  EXPECT_EQ(topology.patch_size, (SizeVox{16, 40, 32}));
}

TEST(Topology, HalvesASingleAxisOnlyFromTwelveVoxels) {
  EXPECT_EQ(pool_and_conv_props({1, 1, 1}, {11, 5, 5}).strides.size(), 1U);
  EXPECT_EQ(pool_and_conv_props({1, 1, 1}, {12, 5, 5}).strides, (Triples{{1, 1, 1}, {2, 1, 1}}));
}

TEST(Topology, AgreesWithNnunetOnRandomPatches) {
  for (const Json& row : test::plan_vectors().at("topologies")) {
    SCOPED_TRACE(row.dump());

    const Topology topology = pool_and_conv_props(test::three<SpacingMm>(row.at("spacing")),
                                                  test::three<MeanSizeVox>(row.at("size")));

    EXPECT_EQ(topology.strides, test::threes<Triple>(row.at("strides")));
    EXPECT_EQ(topology.kernels, test::threes<Triple>(row.at("kernels")));
    EXPECT_EQ(topology.patch_size, test::three<SizeVox>(row.at("patch")));
    EXPECT_EQ(topology.divisor, test::three<SizeVox>(row.at("divisor")));
  }
}

TEST(ActivationCount, EqualsThePublishedFiguresForACubeOf128) {
  EXPECT_EQ(activation_count(cube_network("resenc")), 557'420'544);
  EXPECT_EQ(activation_count(cube_network("plain")), 452'796'416);
}

TEST(ActivationCount, RefusesAnUnknownArchitecture) {
  EXPECT_THROW(activation_count(cube_network("swin")), ConfigError);
}

TEST(Percentile, AgreesWithNumpy) {
  const Json& vectors = test::plan_vectors().at("percentiles");
  for (std::size_t i = 0; i < vectors.at("q").size(); ++i) {
    auto values = vectors.at("values").get<std::vector<double>>();

    const double found = percentile(values, vectors.at("q")[i].get<double>());

    EXPECT_DOUBLE_EQ(found, vectors.at("expected")[i].get<double>());
  }
}

TEST(Percentile, RefusesNothing) {
  std::vector<double> none;
  EXPECT_THROW(percentile(none, 50), ShapeError);
}

TEST(RoundHalfEven, FollowsPython) {
  EXPECT_EQ(round_half_even(2.5), 2);
  EXPECT_EQ(round_half_even(3.5), 4);
  EXPECT_EQ(round_half_even(-2.5), -2);
  EXPECT_EQ(round_half_even(2.4999), 2);
  EXPECT_EQ(round_half_even(2.5001), 3);
}

}  // namespace
}  // namespace hepar
