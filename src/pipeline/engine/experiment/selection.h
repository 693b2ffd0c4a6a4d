#pragma once
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// The ids of "ID,ID,…" or "@FILE" (an id a line). Throws ConfigError when a trial is not of the
/// experiment, or when there is none.
std::vector<std::string> selected_trials(const std::string& text, const Experiment& experiment);

/// The experiment reduced to some of its trials, in its order.
Experiment part_of(const Experiment& experiment, const std::vector<std::string>& ids);

/// Throws ConfigError naming what trials of `part` read that is neither done nor in `part` after
/// `wait_s` seconds. A trial that is done itself needs nothing.
void check_inputs_done(const Experiment& experiment, const Experiment& part,
                       const TrialStore& store, double wait_s);

/// Trials of `part` that are running although nobody lives who runs them become planned, suspect or
/// failed; a line for each.
std::vector<std::string> recover_dead(const Experiment& part, const TrialStore& store);

}  // namespace hepar::detail
