#pragma once
#include <string>
#include <vector>

#include "plan_run/planned_run.h"

namespace hepar::detail {

/// What a plan takes for granted, a sentence each; only what this plan rests on.
std::vector<std::string> assumptions_of(const PlannedRun& run, const EstimateOptions& options);

}  // namespace hepar::detail
