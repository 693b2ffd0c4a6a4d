#include "hepar/pipeline/packing.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>
#include <set>
#include <string>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// A job's own seconds and the longest of what waits for it.
std::vector<double> ways(const std::vector<PackedJob>& jobs) {
  std::vector<double> way(jobs.size(), 0);
  for (std::size_t i = jobs.size(); i-- > 0;) {
    way[i] += jobs[i].seconds;
    for (const std::size_t before : jobs[i].after) {
      require(before < i, "pack: a job waits for a later one");
      way[before] = std::max(way[before], way[i]);
    }
  }
  return way;
}

class Packer {
 public:
  Packer(const std::vector<PackedJob>& jobs, int places)
      : jobs_(jobs), free_(places), way_(ways(jobs)), open_(jobs.size()), readers_(jobs.size()) {
    packing_.starts.resize(jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      require<ConfigError>(jobs[i].places <= places,
                           "wanted " + std::to_string(jobs[i].places) +
                               " ranks for one trial, found " + std::to_string(places) +
                               " on all nodes: give more --nodes or --ranks");
      add(i);
    }
  }

  Packing run() {
    start_what_fits();
    while (!running_.empty()) {
      end_first();
      start_what_fits();
    }
    packing_.longest_chain_s = way_.empty() ? 0 : *std::max_element(way_.begin(), way_.end());
    return packing_;
  }

 private:
  void add(std::size_t i) {
    const std::set<std::size_t> before(jobs_[i].after.begin(), jobs_[i].after.end());
    open_[i] = before.size();
    for (const std::size_t other : before) {
      readers_[other].push_back(i);
    }
    if (before.empty()) {
      ready_.insert({-way_[i], i});
    }
  }

  void start_what_fits() {
    for (auto next = ready_.begin(); next != ready_.end() && free_ > 0;) {
      if (jobs_[next->second].places <= free_) {
        start(next->second);
        next = ready_.erase(next);
      } else {
        ++next;
      }
    }
  }

  void start(std::size_t i) {
    free_ -= jobs_[i].places;
    packing_.starts[i] = now_;
    packing_.busy_s += jobs_[i].seconds * jobs_[i].places;
    running_.push({now_ + jobs_[i].seconds, i});
  }

  void end_first() {
    now_ = packing_.makespan_s = running_.top().first;
    while (!running_.empty() && running_.top().first <= now_) {
      const std::size_t ended = running_.top().second;
      running_.pop();
      free_ += jobs_[ended].places;
      for (const std::size_t reader : readers_[ended]) {
        if (--open_[reader] == 0) {
          ready_.insert({-way_[reader], reader});
        }
      }
    }
  }

  using Ending = std::pair<double, std::size_t>;  ///< when, which

  const std::vector<PackedJob>& jobs_;
  int free_;
  double now_ = 0;
  std::vector<double> way_;
  std::vector<std::size_t> open_;  ///< jobs that one still waits for
  std::vector<std::vector<std::size_t>> readers_;
  std::set<std::pair<double, std::size_t>> ready_;  ///< longest way first, then the file's order
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running_;
  Packing packing_;
};

}  // namespace

Packing pack(const std::vector<PackedJob>& jobs, int places) { return Packer(jobs, places).run(); }

}  // namespace hepar
