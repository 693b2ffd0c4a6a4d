#pragma once
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>

#include <string>

namespace hepar::detail {

/// "pretrain (seed=0)".
std::string label(const Trial& trial);

/// "2 h 05 min", "3 min 10 s", "12 s".
std::string duration_text(double seconds);

/// How far a running trial is: for a training its last logged step, for others since when.
std::string progress_of(const TrialStore& store, const Trial& trial);

}  // namespace hepar::detail
