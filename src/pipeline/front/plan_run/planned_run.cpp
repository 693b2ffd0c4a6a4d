#include "plan_run/planned_run.h"

#include <algorithm>
#include <set>

#include "plan_run/assumptions.h"
#include "plan_run/trial_jobs.h"

namespace hepar::detail {
namespace {

void add(const Estimate& estimate, double read_bytes, Amounts& sum) {
  ++sum.trials;
  sum.not_measured += estimate.measured() ? 0 : 1;
  sum.seconds += estimate.seconds;
  sum.core_hours += estimate.core_hours;
  sum.gpu_hours += estimate.gpu_hours;
  sum.written_bytes += estimate.written_bytes;
  sum.read_bytes += estimate.measured() ? read_bytes : 0;
}

class RunPlanner {
 public:
  explicit RunPlanner(const PlanRunRequest& request) : request_(request) {
    run_.machine = request.machine;
    run_.experiment = without_stopped(request.experiment);
  }

  PlannedRun plan() {
    estimate_all();
    sum_up();
    if (run_.machine.site) {
      run_.queue = plan_queue(run_.experiment, *run_.machine.site, run_.estimates,
                              {.trial_s = kTrialOverheadS, .element_s = kElementOverheadS});
    }
    run_.packing = pack(run_.queue ? run_.queue->jobs : trials_as_jobs(), run_.machine.places());
    run_.error = backtest(request_.measured, request_.options.seen_on, kTrialOverheadS);
    run_.assumptions = assumptions_of(run_, request_.options);
    return run_;
  }

 private:
  /// Keys are those of the whole experiment: a trial may read one that is stopped elsewhere.
  void estimate_all() {
    const auto keys = cost_keys(request_.experiment);
    const Estimator estimator(request_.measured, request_.options);
    for (const Trial& trial : run_.experiment.trials) {
      run_.estimates[trial.id] = estimator.estimate(
          {.trial = trial, .keys = keys.at(trial.id), .place = run_.machine.place(trial.command)});
    }
  }

  void sum_up() {
    for (const Trial& trial : run_.experiment.trials) {
      double read = 0;
      for (const std::string& input : trial.inputs) {
        const auto found = run_.estimates.find(input);
        read += found == run_.estimates.end() ? 0 : found->second.output_bytes;
      }
      run_.read_bytes[trial.id] = read;
      add(run_.estimates[trial.id], read, run_.stages[trial.stage]);
      add(run_.estimates[trial.id], read, run_.all);
    }
  }

  [[nodiscard]] std::vector<PackedJob> trials_as_jobs() const {
    TrialJobs trials;
    for (const Trial& trial : run_.experiment.trials) {
      const Estimate& estimate = run_.estimates.at(trial.id);
      trials.add(trial, {.seconds = estimate.measured() ? kTrialOverheadS + estimate.seconds : 0,
                         .places = run_.machine.ranks_per_trial});
    }
    return trials.jobs();
  }

  const PlanRunRequest& request_;
  PlannedRun run_;
};

}  // namespace

PlannedRun planned_run(const PlanRunRequest& request) { return RunPlanner(request).plan(); }

}  // namespace hepar::detail
