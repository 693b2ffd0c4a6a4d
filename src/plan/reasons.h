#pragma once
#include <hepar/plan/planner.h>

#include <map>
#include <string>

#include "network_fit.h"
#include "target_grid.h"

namespace hepar {

/// "64,160,160" and the like, for messages.
std::string text_of(double value);
std::string text_of(SizeVox size);
std::string text_of(SpacingMm spacing);

/// What make_plan() decided, for explaining it.
struct Decisions {
  const PlanRequest& request;
  const MemoryRule& rule;
  const TargetGrid& grid;
  const NetworkFit& fit;
  const BatchChoice& batch;
  bool lowres;
};

/// One sentence for every key of plan.yaml.
std::map<std::string, std::string> plan_reasons(const Decisions& decisions);

}  // namespace hepar
