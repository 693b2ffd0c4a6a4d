#include "hepar/pipeline/queue_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

constexpr double kMinute = 60, kHour = 3600, kDay = 86400;

/// "01:30:00" as numbers; empty when it is none.
std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  for (const std::string& part : split(text, ':')) {
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      return {};
    }
    numbers.push_back(std::stod(part));
  }
  return numbers;
}

double sum_of(const std::vector<double>& numbers, std::array<double, 3> units) {
  return std::inner_product(numbers.begin(), numbers.end(), units.begin(), 0.0);
}

/// A node's ranks and GPUs go together: one has as many places as the other.
int places_of(const JobResources& job) {
  return static_cast<int>(std::max(job.ranks, job.nodes * job.gpus_per_node));
}

class QueuePlanner {
 public:
  QueuePlanner(const Experiment& experiment, const Site& site,
               const std::map<std::string, Estimate>& estimates, const Overheads& overheads)
      : experiment_(experiment), estimates_(estimates), overheads_(overheads) {
    TrialStates none;
    arrays_ = plan_arrays({.experiment = experiment, .states = none, .queued = {}}, site);
  }

  QueuePlan plan() {
    for (const JobArray& array : arrays_) {
      first_.push_back(plan_.jobs.size());
      add(array);
    }
    plan_.arrays = arrays_.size();
    plan_.elements = plan_.jobs.size();
    return plan_;
  }

 private:
  void add(const JobArray& array) {
    const std::optional<double> limit = slurm_seconds(array.resources.time);
    const double usable =
        limit ? std::max(1.0, *limit - static_cast<double>(array.resources.signal_s))
              : std::numeric_limits<double>::infinity();
    bool often = false;
    for (std::size_t i = 0; i < array.elements.size(); ++i) {
      PackedJob job = job_of(array, i);
      const double parts = std::max(1.0, std::ceil(job.seconds / usable));
      job.seconds += (parts - 1) * restart_s(array.elements[i]);
      plan_.requeues += static_cast<std::size_t>(parts) - 1;
      often = often || parts - 1 > static_cast<double>(array.resources.requeues);
      note_too_long(array.elements[i], usable);
      plan_.jobs.push_back(std::move(job));
    }
    if (often) {
      plan_.too_often.push_back(array.name);
    }
  }

  [[nodiscard]] PackedJob job_of(const JobArray& array, std::size_t element) const {
    PackedJob job{.seconds = overheads_.element_s, .places = places_of(array.resources)};
    for (const std::string& id : array.elements[element]) {
      const Estimate& estimate = estimates_.at(id);
      job.seconds += estimate.measured() ? overheads_.trial_s + estimate.seconds : 0;
    }
    for (const std::size_t other : array.after) {
      const std::size_t size = arrays_[other].elements.size();
      for (std::size_t i = array.corresponding ? element : 0;
           i < (array.corresponding ? element + 1 : size); ++i) {
        job.after.push_back(first_[other] + i);
      }
    }
    const auto throttle = static_cast<std::size_t>(array.resources.throttle);
    if (throttle > 0 && element >= throttle) {
      job.after.push_back(first_.back() + element - throttle);
    }
    return job;
  }

  /// A requeued element starts the program and the training that it was in.
  [[nodiscard]] double restart_s(const std::vector<std::string>& element) const {
    double start = 0;
    for (const std::string& id : element) {
      start = std::max(start, estimates_.at(id).start_s);
    }
    return overheads_.element_s + start;
  }

  void note_too_long(const std::vector<std::string>& element, double usable) {
    for (const std::string& id : element) {
      if (experiment_.trial(id).steps == 0 && estimates_.at(id).seconds > usable) {
        plan_.too_long.push_back(id);
      }
    }
  }

  const Experiment& experiment_;
  const std::map<std::string, Estimate>& estimates_;
  const Overheads& overheads_;
  std::vector<JobArray> arrays_;
  std::vector<std::size_t> first_;  ///< element of each array
  QueuePlan plan_;
};

}  // namespace

std::optional<double> slurm_seconds(const std::string& limit) {
  const std::string lower = to_lower(limit);
  if (lower == "unlimited" || lower == "infinite") {
    return std::nullopt;
  }
  const auto dash = limit.find('-');
  const bool days = dash != std::string::npos;
  const std::vector<double> day = days ? numbers_of(limit.substr(0, dash)) : std::vector{0.0};
  const std::vector<double> rest = numbers_of(days ? limit.substr(dash + 1) : limit);
  require<ConfigError>(
      day.size() == 1 && !rest.empty() && rest.size() <= 3,
      "time: wanted a time limit of Slurm (\"24:00:00\", \"1-12\", \"90\"), found '" + limit + "'");
  const std::array<double, 3> from_hours{kHour, kMinute, 1}, from_minutes{kMinute, 1, 0};
  return day.front() * kDay + sum_of(rest, days || rest.size() == 3 ? from_hours : from_minutes);
}

QueuePlan plan_queue(const Experiment& experiment, const Site& site,
                     const std::map<std::string, Estimate>& estimates, const Overheads& overheads) {
  return QueuePlanner(experiment, site, estimates, overheads).plan();
}

}  // namespace hepar
