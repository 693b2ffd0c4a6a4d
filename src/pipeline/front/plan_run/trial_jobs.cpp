#include "plan_run/trial_jobs.h"

#include <utility>

namespace hepar::detail {

void TrialJobs::add(const Trial& trial, PackedJob job) {
  for (const std::string& input : trial.inputs) {
    if (const auto found = number_.find(input); found != number_.end()) {
      job.after.push_back(found->second);
    }
  }
  number_[trial.id] = jobs_.size();
  jobs_.push_back(std::move(job));
}

}  // namespace hepar::detail
