#include <algorithm>
#include <optional>
#include <set>

#include "hepar/pipeline/schedule.h"
#include "hepar/pipeline/slurm.h"

namespace hepar {
namespace {

/// Trials of one level that ask for the same.
struct Group {
  int level = 0;
  JobResources resources;
  std::vector<const Trial*> trials;
};

/// Where a trial is in the plan.
struct Seat {
  std::size_t array = 0, element = 0;
};

class Planner {
 public:
  Planner(const SubmissionRequest& request, const Site& site) : request_(request), site_(site) {}

  std::vector<JobArray> plan() {
    find_groups();
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      order_like_inputs(groups_[g]);
      for (std::size_t i = 0; i < groups_[g].trials.size(); ++i) {
        rank_[groups_[g].trials[i]->id] = {g, i};
      }
      add_arrays(groups_[g]);
    }
    return arrays_;
  }

 private:
  void find_groups() {
    const auto blocked = Schedule(request_.experiment, {}).blocked(request_.states);
    for (const Trial& trial : request_.experiment.trials) {
      if (!wanted(trial) || blocked.contains(trial.id)) {
        continue;
      }
      int level = 0;
      for (const std::string& input : trial.inputs) {
        const auto found = level_.find(input);
        level = found == level_.end() ? level : std::max(level, found->second + 1);
      }
      level_[trial.id] = level;
      note_what_is_before(trial);
      const JobResources& resources = site_.of(trial.command);
      auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) {
        return g.level == level && g.resources == resources;
      });
      if (group == groups_.end()) {
        group = groups_.insert(groups_.end(), {level, resources, {}});
      }
      group->trials.push_back(&trial);
    }
    std::stable_sort(groups_.begin(), groups_.end(),
                     [](const Group& a, const Group& b) { return a.level < b.level; });
  }

  [[nodiscard]] bool wanted(const Trial& trial) const {
    const auto state = request_.states.find(trial.id);
    const bool ended = state != request_.states.end() &&
                       (state->second == TrialState::kDone || state->second == TrialState::kFailed);
    return !ended && !request_.queued.contains(trial.id);
  }

  /// What this reads that is still to be done, by this plan or by a job in the queue. What one of
  /// these waits for itself is left out.
  [[nodiscard]] std::vector<std::string> open_inputs(const Trial& trial) const {
    std::set<std::string> open, implied;
    for (const std::string& input : trial.inputs) {
      if (is_open(input)) {
        open.insert(input);
        const auto before = before_.find(input);
        if (before != before_.end()) {
          implied.insert(before->second.begin(), before->second.end());
        }
      }
    }
    std::vector<std::string> direct;
    std::set_difference(open.begin(), open.end(), implied.begin(), implied.end(),
                        std::back_inserter(direct));
    return direct;
  }

  [[nodiscard]] bool is_open(const std::string& id) const {
    return level_.contains(id) || request_.queued.contains(id);
  }

  void note_what_is_before(const Trial& trial) {
    std::set<std::string>& before = before_[trial.id];
    for (const std::string& input : trial.inputs) {
      if (is_open(input)) {
        before.insert(input);
        if (const auto found = before_.find(input); found != before_.end()) {
          before.insert(found->second.begin(), found->second.end());
        }
      }
    }
  }

  /// When each trial waits for one trial, of one group, and no two for the same: in that order, so
  /// that element i can wait for element i.
  void order_like_inputs(Group& group) const {
    std::map<std::string, std::size_t> place;
    std::set<std::pair<std::size_t, std::size_t>> seats;
    for (const Trial* trial : group.trials) {
      const std::vector<std::string> open = open_inputs(*trial);
      const auto found = open.size() == 1 ? rank_.find(open.front()) : rank_.end();
      if (found == rank_.end() || !seats.insert(found->second).second ||
          seats.begin()->first != found->second.first) {
        return;
      }
      place[trial->id] = found->second.second;
    }
    std::sort(group.trials.begin(), group.trials.end(),
              [&](const Trial* a, const Trial* b) { return place.at(a->id) < place.at(b->id); });
  }

  void add_arrays(const Group& group) {
    const auto per = static_cast<std::size_t>(group.resources.trials_per_element);
    const std::size_t most = std::max<std::size_t>(1, request_.largest_array) * per;
    for (std::size_t from = 0; from < group.trials.size(); from += most) {
      JobArray array{.name = name_of(group), .resources = group.resources};
      for (std::size_t i = from; i < std::min(from + most, group.trials.size()); ++i) {
        if ((i - from) % per == 0) {
          array.elements.emplace_back();
        }
        array.elements.back().push_back(group.trials[i]->id);
        seats_[group.trials[i]->id] = {arrays_.size(), array.elements.size() - 1};
      }
      add_dependencies(array);
      arrays_.push_back(std::move(array));
    }
  }

  void add_dependencies(JobArray& array) const {
    std::set<std::size_t> after;
    std::set<std::string> jobs;  // "7_0"
    bool same_number = true;
    for (std::size_t element = 0; element < array.elements.size(); ++element) {
      for (const std::string& id : array.elements[element]) {
        for (const std::string& input : open_inputs(request_.experiment.trial(id))) {
          if (const auto seat = seats_.find(input); seat != seats_.end()) {
            after.insert(seat->second.array);
            same_number = same_number && seat->second.element == element;
          } else {
            jobs.insert(request_.queued.at(input));
          }
        }
      }
    }
    array.after.assign(after.begin(), after.end());
    array.after_jobs = shortened(jobs);
    array.corresponding = same_number && jobs.empty() && after.size() == 1 &&
                          arrays_[*after.begin()].elements.size() == array.elements.size();
  }

  /// Many elements of one job are said with the job's number: sbatch's line has an end.
  static std::vector<std::string> shortened(const std::set<std::string>& elements) {
    constexpr std::size_t kMany = 20;
    std::map<std::string, std::vector<std::string>> by_job;
    for (const std::string& element : elements) {
      by_job[element.substr(0, element.find('_'))].push_back(element);
    }
    std::vector<std::string> jobs;
    for (const auto& [job, own] : by_job) {
      const std::vector<std::string> whole{job};
      const std::vector<std::string>& said = own.size() > kMany ? whole : own;
      jobs.insert(jobs.end(), said.begin(), said.end());
    }
    return jobs;
  }

  static std::string name_of(const Group& group) {
    const bool one_stage = std::all_of(group.trials.begin(), group.trials.end(), [&](auto* trial) {
      return trial->stage == group.trials.front()->stage;
    });
    return one_stage ? group.trials.front()->stage : "level" + std::to_string(group.level);
  }

  const SubmissionRequest& request_;
  const Site& site_;
  std::map<std::string, int> level_;                     ///< of trials in the plan
  std::map<std::string, std::set<std::string>> before_;  ///< what is open on the way to a trial
  std::vector<Group> groups_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> rank_;  ///< group, place in it
  std::map<std::string, Seat> seats_;
  std::vector<JobArray> arrays_;
};

}  // namespace

std::vector<JobArray> plan_arrays(const SubmissionRequest& request, const Site& site) {
  return Planner(request, site).plan();
}

}  // namespace hepar
