#pragma once
#include <hepar/pipeline/experiment.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "experiment/source.h"

namespace hepar::detail {

/// Reads the section `sweep`; nullopt when there is none.
std::optional<SweepSpec> read_sweep(const ExperimentSource& source, Problems& problems);

/// Draws the settings of the axes that are ranges, one a sample: sample i of an axis depends on the
/// sweep's seed, the axis's name and i only, so that more samples or another axis change none.
void draw_ranges(ExperimentSource& source, Problems& problems);

/// The settings under which something runs that depends on these axes, each once: their grid, or
/// what the samples of the sweep say, crossed with its repeats and rungs. An axis is left out where
/// its conditions do not hold.
std::vector<AxisValues> combinations(const ExperimentSource& source,
                                     const std::set<std::string>& axes);

/// Whether an axis takes one setting a sample instead of all of them.
bool is_sampled(const ExperimentSource& source, const std::string& axis);

}  // namespace hepar::detail
