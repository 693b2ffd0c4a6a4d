#include "plan_check.h"

#include <hepar/core/error.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "reasons.h"

namespace hepar {

namespace {

class Checker {
 public:
  explicit Checker(const std::string& where) : where_(where) {}

  void that(bool holds, const std::string& key, const std::string& complaint) const {
    require<DataError>(holds, where_ + ": key '" + key + "': " + complaint);
  }
  void length(std::size_t found, std::size_t wanted, const std::string& key) const {
    that(found == wanted, key,
         "wanted " + std::to_string(wanted) + " entries, found " + std::to_string(found));
  }
  void positive(const std::vector<std::int64_t>& values, const std::string& key) const {
    for (std::int64_t value : values) {
      that(value >= 1, key, "wanted positive whole numbers, found " + std::to_string(value));
    }
  }

 private:
  const std::string& where_;
};

void check_geometry(const Plan& plan, const Checker& check) {
  for (int axis = 0; axis < 3; ++axis) {
    check.that(std::isfinite(plan.spacing_mm[axis]) && plan.spacing_mm[axis] > 0, "spacing_mm",
               "wanted positive numbers, found " + text_of(plan.spacing_mm));
    check.that(plan.median_shape[axis] >= 1, "median_shape",
               "wanted positive whole numbers, found " + text_of(plan.median_shape));
    check.that(plan.patch_size[axis] >= 1, "patch_size",
               "wanted positive whole numbers, found " + text_of(plan.patch_size));
  }
  const std::set<int> axes(plan.transpose.begin(), plan.transpose.end());
  check.that(axes == std::set<int>{0, 1, 2}, "transpose", "wanted 0, 1 and 2, each once");
}

void check_network(const Plan& plan, const Checker& check) {
  check.that(plan.architecture == "plain" || plan.architecture == "resenc", "architecture",
             "wanted plain or resenc, found '" + plan.architecture + "'");
  const std::size_t stages = plan.strides.size();
  check.that(stages >= 2, "strides", "wanted at least two stages, found " + std::to_string(stages));
  check.length(plan.kernels.size(), stages, "kernels");
  check.length(plan.features.size(), stages, "features");
  check.length(plan.blocks_per_stage.size(), stages, "blocks_per_stage");
  check.length(plan.convs_per_decoder_level.size(), stages - 1, "convs_per_decoder_level");
  check.positive(plan.features, "features");
  check.positive(plan.blocks_per_stage, "blocks_per_stage");
  check.positive(plan.convs_per_decoder_level, "convs_per_decoder_level");
  check.that(plan.strides[0] == std::array<std::int64_t, 3>{1, 1, 1}, "strides",
             "wanted 1,1,1 first");
  SizeVox divisor{1, 1, 1};
  for (std::size_t stage = 0; stage < stages; ++stage) {
    for (int axis = 0; axis < 3; ++axis) {
      const auto a = static_cast<std::size_t>(axis);
      const std::int64_t kernel = plan.kernels[stage][a];
      check.that(plan.strides[stage][a] >= 1 && plan.strides[stage][a] <= plan.patch_size[axis],
                 "strides",
                 "wanted whole numbers from 1 up to the patch edge, found " +
                     std::to_string(plan.strides[stage][a]));
      check.that(kernel >= 1 && kernel <= 99 && kernel % 2 == 1, "kernels",
                 "wanted odd whole numbers from 1 to 99, found " + std::to_string(kernel));
      divisor[axis] *= plan.strides[stage][a];
      check.that(plan.patch_size[axis] % divisor[axis] == 0, "patch_size",
                 text_of(plan.patch_size) + " is not divisible by the product of the strides, " +
                     std::to_string(divisor[axis]) + " along axis " + std::to_string(axis));
    }
  }
}

void check_data(const Plan& plan, const Checker& check) {
  check.that(!plan.channels.empty(), "channels", "wanted at least one, found none");
  check.length(plan.normalization.size(), plan.channels.size(), "normalization");
  check.that(
      plan.classes.size() >= 2, "classes",
      "wanted the background and at least one label, found " + std::to_string(plan.classes.size()));
  const std::set<std::string> names(plan.classes.begin(), plan.classes.end());
  check.that(names.size() == plan.classes.size(), "classes", "wanted different names");
  for (const Normalization& rule : plan.normalization) {
    check.that(std::isfinite(rule.mean) && std::isfinite(rule.std) && rule.std >= 0 &&
                   rule.percentile_00_5 <= rule.percentile_99_5,
               "normalization",
               "wanted finite statistics, std >= 0 and percentile_00_5 <= percentile_99_5");
  }
}

}  // namespace

void check_plan(const Plan& plan, const std::string& where) {
  const Checker check(where);
  check_geometry(plan, check);
  check_network(plan, check);
  check_data(plan, check);
  check.that(plan.batch_size >= 1, "batch_size",
             "wanted at least 1, found " + std::to_string(plan.batch_size));
  check.that(plan.shards >= 1 && std::has_single_bit(static_cast<std::uint64_t>(plan.shards)),
             "shards", "wanted a power of two, found " + std::to_string(plan.shards));
}

}  // namespace hepar
