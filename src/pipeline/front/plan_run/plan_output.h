#pragma once
#include <hepar/core/json.h>

#include <string>

#include "plan_run/planned_run.h"

namespace hepar::detail {

/// Tables and sentences for a person.
std::string plan_text(const PlannedRun& run);
/// What each estimate rests on, stage by stage.
std::string basis_text(const PlannedRun& run);
/// The model's error on the measured runs.
std::string error_text(const Backtest& error);

/// Everything, each trial's estimate included.
Json plan_json(const PlannedRun& run);

}  // namespace hepar::detail
