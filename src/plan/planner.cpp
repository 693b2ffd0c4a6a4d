#include <hepar/plan/planner.h>

#include <hepar/core/error.h>
#include <hepar/core/text.h>

#include <algorithm>
#include <bit>

#include "network_fit.h"
#include "reasons.h"
#include "target_grid.h"

namespace hepar {

namespace {

constexpr std::array<std::pair<const char*, PlanPreset>, 4> kPresets{{
    {"plain", PlanPreset::kPlain},
    {"resenc_m", PlanPreset::kResEncM},
    {"resenc_l", PlanPreset::kResEncL},
    {"resenc_xl", PlanPreset::kResEncXL},
}};

void check_request(const PlanRequest& request) {
  require<ConfigError>(request.cases >= 1,
                       "cases: wanted at least 1, found " + std::to_string(request.cases));
  require<ConfigError>(request.classes.size() >= 2,
                       "classes: wanted the background and at least one label, found " +
                           std::to_string(request.classes.size()));
  require<ConfigError>(!request.channels.empty(), "channels: wanted at least one, found none");
  require<ConfigError>(
      request.normalization.empty() || request.normalization.size() == request.channels.size(),
      "normalization: wanted one rule a channel (" + std::to_string(request.channels.size()) +
          "), found " + std::to_string(request.normalization.size()));
  require<ConfigError>(request.spacings.size() == request.sizes.size(),
                       "spacings and sizes: wanted one of each a case, found " +
                           std::to_string(request.spacings.size()) + " and " +
                           std::to_string(request.sizes.size()));
  const auto positive = [](const std::optional<std::int64_t>& value, const std::string& key) {
    require<ConfigError>(!value || *value >= 1,
                         key + ": wanted at least 1, found " + std::to_string(value.value_or(0)));
  };
  positive(request.overrides.batch_size, "batch");
  positive(request.overrides.base_features, "base_features");
  positive(request.overrides.max_features, "max_features");
}

// The patch the user asked for, or the largest that the rules allow.
NetworkFit choose_network(const PlanRequest& request, const MemoryRule& rule,
                          const TargetGrid& grid) {
  if (!request.overrides.patch_size) {
    return fit_network(rule, grid.spacing, grid.median);
  }
  const SizeVox wanted = *request.overrides.patch_size;
  for (int axis = 0; axis < 3; ++axis) {
    require<ConfigError>(wanted[axis] >= 1,
                         "patch: wanted three edges of at least 1 voxel, found " + text_of(wanted));
  }
  NetworkFit fit = outline_network(rule, grid.spacing,
                                   {static_cast<double>(wanted.z), static_cast<double>(wanted.y),
                                    static_cast<double>(wanted.x)});
  require<ConfigError>(fit.outline.patch_size == wanted,
                       "patch: wanted edges divisible by " + text_of(fit.topology.divisor) +
                           " (the network halves them that often), found " + text_of(wanted) +
                           "; the next one that fits is " + text_of(fit.outline.patch_size));
  return fit;
}

// Plan order -> what the YAML holds.
void fill_network(Plan& plan, const NetworkFit& fit) {
  plan.architecture = fit.outline.architecture;
  plan.patch_size = fit.outline.patch_size;
  plan.strides = fit.topology.strides;
  plan.kernels = fit.topology.kernels;
  plan.features = fit.outline.features;
  plan.blocks_per_stage = fit.outline.blocks_per_stage;
  plan.convs_per_decoder_level = fit.outline.convs_per_decoder_level;
}

}  // namespace

std::string to_string(PlanPreset preset) {
  for (const auto& [name, value] : kPresets) {
    if (value == preset) {
      return name;
    }
  }
  return "plain";
}

PlanPreset plan_preset_from(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, value] : kPresets) {
    if (name == known) {
      return value;
    }
    names.emplace_back(known);
  }
  const std::string near = nearest(name, names);
  throw ConfigError("preset: wanted one of " + join(names, ", ") + ", found '" + name + "'" +
                    (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

Plan make_plan(const PlanRequest& request) {
  check_request(request);
  const MemoryRule rule = memory_rule(request);
  const TargetGrid grid = target_grid(request);
  const NetworkFit fit = choose_network(request, rule, grid);
  const BatchChoice batch = choose_batch(request, rule, grid, fit);
  const bool lowres = has_lowres_stage(rule, grid, fit.outline.patch_size);

  Plan plan;
  plan.spacing_mm = grid.spacing;
  plan.transpose = grid.transpose;
  for (int axis = 0; axis < 3; ++axis) {
    plan.median_shape[axis] = static_cast<std::int64_t>(grid.median[axis] + 0.5);
  }
  fill_network(plan, fit);
  plan.batch_size = batch.size;
  plan.batch_dice = lowres;
  plan.shards = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(batch.size)));
  plan.channels = request.channels;
  plan.classes = request.classes;
  plan.normalization = request.normalization.empty()
                           ? std::vector<Normalization>(request.channels.size())
                           : request.normalization;
  plan.reasons = plan_reasons({request, rule, grid, fit, batch, lowres});
  return plan;
}

}  // namespace hepar
