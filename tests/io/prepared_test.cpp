#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>
#include <thread>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/random.h"
#include "hepar/io/prepared_set.h"
#include "hepar/io/prepared_writer.h"
#include "support/temporary.h"

namespace hepar {
namespace {

/// One case in memory: two channels and labels −1, 0, 1, 2.
struct Case {
  PreparedCase record;
  std::vector<std::vector<float>> channels;
  std::vector<std::int16_t> labels;

  [[nodiscard]] PreparedSample sample() const {
    return {record, {channels.begin(), channels.end()}, labels};
  }
};

Case make_case(const std::string& id, SizeVox size, bool labelled = true) {
  Case made;
  made.record.id = id;
  made.record.case_id = id;
  made.record.patient = "p-" + id;
  made.record.split = "train";
  made.record.size = size;
  made.record.canonical.size = size;
  made.record.crop.size = size;
  RandomStream random({.seed = 11, .step = id.size()});
  made.channels.assign(2, {});
  for (std::int64_t i = 0; i < count(size); ++i) {
    made.channels[0].push_back(static_cast<float>(random.normal()));
    made.channels[1].push_back(
        static_cast<float>(1000 + 50 * std::sin(0.1 * static_cast<double>(i))));
    if (labelled) {
      made.labels.push_back(
          static_cast<std::int16_t>(i % 11 == 0 ? 2 : (i % 3 == 0 ? 1 : -(i % 2))));
    }
  }
  return made;
}

void write_set(const fs::path& folder, const std::vector<std::vector<Case>>& shards) {
  PreparedIndex index;
  index.tool_version = "test";
  index.labels = {{"background", 0}, {"liver", 1}, {"lesion", 2}};
  index.plan_yaml = "spacing_mm: [1, 1, 1]\n";
  for (std::size_t s = 0; s < shards.size(); ++s) {
    PreparedShardWriter writer({folder, static_cast<int>(s), 2});
    for (const Case& one : shards[s]) {
      index.cases.push_back(writer.write(one.sample()));
    }
    writer.close();
  }
  write_prepared_index(folder, index);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& e) {
    return e.what();
  }
  return "";
}

TEST(Quantisation, ErrorIsAtMostHalfAStepAndZeroStaysZero) {
  for (const auto& [low, high] : {std::pair(-3.1F, 12.7F),
                                  {0.0F, 1.0F},
                                  {100.0F, 100.5F},
                                  {-1e-20F, 1e-20F},
                                  {-1e30F, 1e30F},
                                  {-7.0F, 0.0F}}) {
    std::vector<float> values{low, high};
    if (low <= 0 && high >= 0) {
      values.push_back(0);
    }
    RandomStream random({.seed = 1});
    for (int i = 0; i < 2000; ++i) {
      values.push_back(static_cast<float>(random.uniform(low, high)));
    }
    const Quantisation code = quantisation_of(values, "here");
    EXPECT_NEAR(code.slope, (static_cast<double>(high) - static_cast<double>(low)) / 65534,
                code.slope * 1e-9);
    for (const float single : values) {
      const auto value = static_cast<double>(single);
      const double level = std::nearbyint((value - code.intercept) / code.slope);
      const double stored = std::clamp(level, -32768.0, 32767.0);
      EXPECT_LE(std::abs(stored * code.slope + code.intercept - value), code.slope * 0.5000001);
      if (value == 0) {
        EXPECT_EQ(stored * code.slope + code.intercept, 0);
      }
    }
  }
}

TEST(Quantisation, ConstantAndBrokenImages) {
  const std::vector<float> constant(5, 7.25F);
  EXPECT_EQ(quantisation_of(constant, "x").intercept, 7.25);
  EXPECT_EQ(quantisation_of(constant, "x").slope, 1);

  std::vector<float> broken{1, 2, std::nanf("")};
  EXPECT_THAT(message_of([&] { quantisation_of(broken, "case 'q'"); }),
              ::testing::HasSubstr("case 'q': voxel 2"));
}

TEST(ForegroundQuota, IsTenThousandOrOnePercentOrAll) {
  EXPECT_EQ(foreground_quota(1), 1);
  EXPECT_EQ(foreground_quota(9999), 9999);
  EXPECT_EQ(foreground_quota(500000), 10000);
  EXPECT_EQ(foreground_quota(1000000), 10000);
  EXPECT_EQ(foreground_quota(1000001), 10001);
  EXPECT_EQ(foreground_quota(2500000), 25000);
}

TEST(PreparedSet, RecordsComeBack) {
  const test::TemporaryFolder folder;
  Case one = make_case("b/GED4", {5, 6, 7});
  one.record.stage = 3;
  one.record.domain = "B1";
  one.record.sequence = "GED4";
  one.record.transpose = {2, 0, 1};
  one.record.canonical.size = {6, 9, 8};  // canonical; the plan's order is (8, 6, 9)
  one.record.crop = {{1, 0, 2}, {7, 6, 5}};
  one.record.flipped = {true, false, false};
  write_set(folder.path(), {{one}, {make_case("a", {4, 4, 4})}});

  const PreparedSet set(folder.path());

  ASSERT_EQ(set.cases().size(), 2U);
  EXPECT_EQ(set.cases()[0].id, "a");
  const PreparedCase& read = set.cases()[1];
  EXPECT_EQ(read.stage, 3);
  EXPECT_EQ(read.domain, "B1");
  EXPECT_EQ(read.sequence, "GED4");
  EXPECT_EQ(read.transpose, one.record.transpose);
  EXPECT_EQ(read.crop, one.record.crop);
  EXPECT_EQ(read.canonical, one.record.canonical);
  EXPECT_EQ(read.flipped, one.record.flipped);
  EXPECT_EQ(read.shard, 0);
  EXPECT_EQ(set.channels(), 2);
  EXPECT_EQ(set.labels().at("lesion"), 2);
  EXPECT_EQ(set.plan_yaml(), "spacing_mm: [1, 1, 1]\n");
  std::map<int, std::int64_t> counts;
  for (const std::int16_t label : one.labels) {
    counts[label] += label >= 0 ? 1 : 0;
  }
  counts.erase(-1);
  EXPECT_EQ(read.label_counts, counts);
}

/// The patch as it must be, voxel by voxel from the case in memory.
void expect_patch(const PreparedSet& set, std::size_t index, const Case& truth, const BoxVox& box) {
  const auto voxels = static_cast<std::size_t>(count(box.size));
  std::vector<float> image(voxels * 2, 99);
  std::vector<std::int16_t> labels(voxels, 99);

  set.read_patch(index, box, image, labels);

  const SizeVox size = truth.record.size;
  std::size_t i = 0;
  for (std::int64_t z = box.start.z; z < box.start.z + box.size.z; ++z) {
    for (std::int64_t y = box.start.y; y < box.start.y + box.size.y; ++y) {
      for (std::int64_t x = box.start.x; x < box.start.x + box.size.x; ++x, ++i) {
        const bool inside = z >= 0 && y >= 0 && x >= 0 && z < size.z && y < size.y && x < size.x;
        const auto at = static_cast<std::size_t>(inside ? linear_index(size, {z, y, x}) : 0);
        for (std::size_t channel = 0; channel < 2; ++channel) {
          const double slope = set.cases()[index].slope[channel];
          ASSERT_NEAR(image[channel * voxels + i], inside ? truth.channels[channel][at] : 0,
                      inside ? slope * 0.5 + 1e-4 : 0);
        }
        ASSERT_EQ(labels[i], !inside || truth.labels.empty() ? -1 : truth.labels[at]);
      }
    }
  }
}

TEST(PreparedSet, PatchesEqualTheCaseAndArePaddedOutside) {
  const test::TemporaryFolder folder;
  const Case first = make_case("a", {40, 70, 66});
  const Case second = make_case("bb", {3, 5, 4}, false);
  write_set(folder.path(), {{first, second}});
  for (const std::size_t cache :
       {std::size_t{0}, std::size_t{4} << 20, PreparedSet::kDefaultCacheBytes}) {
    const PreparedSet set(folder.path(), cache);
    expect_patch(set, 0, first, {{0, 0, 0}, {40, 70, 66}});
    expect_patch(set, 0, first, {{31, 60, 60}, {4, 8, 5}});
    expect_patch(set, 0, first, {{-3, 64, -5}, {10, 20, 80}});
    expect_patch(set, 0, first, {{50, 0, 0}, {3, 3, 3}});
    expect_patch(set, 0, first, {{-9, -9, -9}, {4, 4, 4}});
    expect_patch(set, 1, second, {{-2, -2, -2}, {8, 9, 10}});
  }
}

TEST(PreparedSet, EightThreadsReadTheSamePatches) {
  const test::TemporaryFolder folder;
  const Case one = make_case("a", {40, 70, 66});
  write_set(folder.path(), {{one}});
  const PreparedSet set(folder.path(), std::size_t{2} << 20);  // small: chunks come and go
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RandomStream random({.seed = 4, .slot = t});
      for (int round = 0; round < 10; ++round) {
        const BoxVox box{{random.integer(40), random.integer(70), random.integer(66)}, {5, 9, 9}};
        expect_patch(set, 0, one, box);
        EXPECT_FALSE(set.foreground(0, 1).empty());
      }
    });
  }
}

TEST(PreparedSet, ForegroundIsDrawnWithoutReplacementFromTheLabel) {
  const test::TemporaryFolder folder;
  const Case one = make_case("a", {30, 40, 50});
  write_set(folder.path(), {{one}});
  const PreparedSet set(folder.path());
  for (const int label : {1, 2}) {
    const auto positions = set.foreground(0, label);
    std::set<std::int64_t> seen;
    for (const OffsetVox& at : positions) {
      const std::int64_t i = linear_index(one.record.size, at);
      EXPECT_EQ(one.labels[static_cast<std::size_t>(i)], label);
      seen.insert(i);
    }
    EXPECT_EQ(seen.size(), positions.size());
    EXPECT_EQ(static_cast<std::int64_t>(positions.size()),
              foreground_quota(set.cases()[0].label_counts.at(label)));
  }
  EXPECT_TRUE(set.foreground(0, 0).empty());
  EXPECT_TRUE(set.foreground(0, 5).empty());
}

TEST(PreparedSet, ForegroundCoversTheWholeCaseEvenly) {
  const test::TemporaryFolder folder;
  Case one = make_case("a", {40, 40, 40});
  std::fill(one.labels.begin(), one.labels.end(), std::int16_t{1});  // 64 000 voxels, 10 000 kept
  write_set(folder.path(), {{one}});
  const PreparedSet set(folder.path());
  std::array<int, 4> quarters{};
  for (const OffsetVox& at : set.foreground(0, 1)) {
    ++quarters[static_cast<std::size_t>(at.z / 10)];
  }
  for (const int n : quarters) {
    EXPECT_NEAR(n, 2500, 200);  // standard deviation 40
  }
}

TEST(PreparedSet, HashIsOfTheArraysNotOfTheirShards) {
  const test::TemporaryFolder one;
  const test::TemporaryFolder two;
  const test::TemporaryFolder other;
  const Case a = make_case("a", {6, 6, 6});
  const Case b = make_case("bb", {5, 5, 5});
  Case changed = b;
  changed.labels[7] = 1 - std::abs(changed.labels[7]);
  write_set(one.path(), {{a, b}});
  write_set(two.path(), {{b}, {a}});
  write_set(other.path(), {{a, changed}});

  EXPECT_EQ(PreparedSet(one.path()).hash(), PreparedSet(two.path()).hash());
  EXPECT_NE(PreparedSet(one.path()).hash(), PreparedSet(other.path()).hash());
}

TEST(PreparedSet, SameCasesGiveTheSameBytes) {
  const test::TemporaryFolder one;
  const test::TemporaryFolder two;
  write_set(one.path(), {{make_case("a", {40, 40, 70})}});
  write_set(two.path(), {{make_case("a", {40, 40, 70})}});
  for (const char* name : {"prepared.json", "plan.yaml", "shards/shard-00000.h5"}) {
    EXPECT_EQ(read_bytes(one.path() / name), read_bytes(two.path() / name)) << name;
  }
}

TEST(PreparedSet, ContradictionsAreNamed) {
  const test::TemporaryFolder folder;
  write_set(folder.path(), {{make_case("a", {6, 7, 8}), make_case("bb", {5, 5, 5})}});
  const Json good = read_json(folder.path() / "prepared.json");
  const auto refusal = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad.at(Json::json_pointer(pointer)) = value;
    write_json(folder.path() / "prepared.json", bad);
    return message_of([&] { const PreparedSet set(folder.path()); });
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal("/format", 9), HasSubstr("key 'format'"));
  EXPECT_THAT(refusal("/cases/0/size", Json({6, 7, 9})),
              HasSubstr("/cases/0/image: wanted 2 6 7 9"));
  EXPECT_THAT(refusal("/cases/0/slope", Json({1})), HasSubstr("key 'intercept'"));
  EXPECT_THAT(refusal("/cases/0/slope/0", -1), HasSubstr("key 'slope'"));
  EXPECT_THAT(refusal("/cases/1/id", "a"), HasSubstr("two cases have the id 'a'"));
  EXPECT_THAT(refusal("/cases/1/position", 0), HasSubstr("key 'position'"));
  EXPECT_THAT(refusal("/cases/1/position", 7), HasSubstr("/cases/7/image"));
  EXPECT_THAT(refusal("/cases/0/shard", 3), HasSubstr("shard-00003.h5"));
  EXPECT_THAT(refusal("/cases/0/label_counts", Json{{"1", 100000}}), HasSubstr("key '1'"));
  EXPECT_THAT(refusal("/cases/0/label_counts", Json{{"x", 1}}), HasSubstr("key 'x'"));
  EXPECT_THAT(refusal("/cases/0/label_counts", Json{{"5", 3}}), HasSubstr("foreground_5"));
  EXPECT_THAT(refusal("/cases/0/crop/start", Json({1, 0, 0})), HasSubstr("key 'crop'"));
  EXPECT_EQ(refusal("/format", 1), "");
  write_atomically(folder.path() / "plan.yaml", std::string("other"));
  EXPECT_THAT(refusal("/format", 1), HasSubstr("plan.yaml was changed"));
}

TEST(PreparedWriter, BadVoxelsNameTheCase) {
  const test::TemporaryFolder folder;
  PreparedShardWriter writer({folder.path(), 0, 1});
  Case one = make_case("a", {4, 4, 4});
  one.labels[3] = 128;
  EXPECT_THAT(message_of([&] { writer.write(one.sample()); }),
              ::testing::HasSubstr("case 'a': label 128"));
  one.labels[3] = 1;
  one.channels[1][5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message_of([&] { writer.write(one.sample()); }),
              ::testing::HasSubstr("case 'a': channel 1: voxel 5"));
  one.channels[1].pop_back();
  EXPECT_THROW(writer.write(one.sample()), ShapeError);
}

}  // namespace
}  // namespace hepar
