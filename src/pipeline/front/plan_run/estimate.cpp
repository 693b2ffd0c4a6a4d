#include "hepar/pipeline/estimate.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "hepar/core/error.h"

namespace hepar {
namespace {

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string change(double from, double to, const std::string& unit) {
  return std::to_string(std::llround(from)) + " -> " + std::to_string(std::llround(to)) + " " +
         unit;
}

/// The smaller, the more a measured trial says.
using Distance = std::tuple<int, std::size_t, int, double>;

Distance distance_of(const EstimateRequest& request, const MeasuredTrial& seen) {
  return {seen.trial.id == request.trial.id ? 0 : 1, differences(request.keys, seen.keys).size(),
          seen.trial.stage == request.trial.stage ? 0 : 1,
          std::abs(std::log2(request.place.ranks) - std::log2(seen.cost.ranks))};
}

TrainingLayout layout_of(const EstimateRequest& request, const MeasuredTrial& seen) {
  const Trial& trial = request.trial;
  const TrialPlace& place = request.place;
  const std::int64_t given = std::stoll(setting(trial, "train.global_batch", "0"));
  return {.steps = trial.steps,
          .global_batch = given > 0 ? given : seen.training.layout.global_batch,
          .ranks = place.ranks,
          .hosts = place.hosts,
          .reduction = setting(trial, "dist.reduction", "tree")};
}

std::vector<std::string> scalings(const EstimateRequest& request, const MeasuredTrial& seen) {
  const Trial& trial = request.trial;
  const TrialPlace& place = request.place;
  std::vector<std::string> changes;
  if (trial.steps != seen.trial.steps) {
    changes.push_back(
        change(static_cast<double>(seen.trial.steps), static_cast<double>(trial.steps), "steps"));
  }
  if (place.ranks != seen.cost.ranks && (trial.steps > 0 || shares_cases(trial.command))) {
    changes.push_back(change(seen.cost.ranks, place.ranks, "ranks"));
  }
  if (place.gpus > 0 && !seen.on_gpu && uses_device(trial.command)) {
    changes.push_back("processors -> GPU");
  }
  return changes;
}

/// Means over what the estimate rests on; `seconds` is there already.
void add_volumes(const EstimateRequest& request, Estimate& estimate) {
  const Trial& trial = request.trial;
  const TrialPlace& place = request.place;
  const auto number = static_cast<double>(estimate.rests_on.size());
  double cores = 0;
  for (const MeasuredTrial* seen : estimate.rests_on) {
    cores += static_cast<double>(seen->cost.cores) / seen->cost.ranks / number;
    estimate.start_s += seen->training.start_s / number;
    estimate.output_bytes += seen->output_bytes / number;
    estimate.written_bytes +=
        (seen->output_bytes + static_cast<double>(checkpoints_of(trial)) * seen->checkpoint_bytes) /
        number;
  }
  estimate.core_hours = estimate.seconds * cores * place.ranks / 3600;
  estimate.gpu_hours = estimate.seconds * place.gpus / 3600;
}

}  // namespace

std::string to_string(Basis basis) {
  switch (basis) {
    case Basis::kSameTrial:
      return "same trial";
    case Basis::kSameWork:
      return "same work";
    case Basis::kNearest:
      return "same command";
    default:
      return "not measured";
  }
}

bool shares_cases(const std::string& command) {
  return one_of(command,
                {"convert", "prepare", "predict", "pseudo-label", "voi", "classify", "masks"});
}

bool uses_device(const std::string& command) {
  return one_of(command, {"train", "predict", "pseudo-label", "voi", "classify"});
}

Estimator::Estimator(const std::vector<MeasuredTrial>& measured, EstimateOptions options)
    : options_(std::move(options)) {
  for (const MeasuredTrial& seen : measured) {
    by_command_[seen.trial.command].push_back(&seen);
  }
}

/// All that are equally near.
std::vector<const MeasuredTrial*> Estimator::nearest(const EstimateRequest& request) const {
  std::vector<const MeasuredTrial*> found;
  const auto candidates = by_command_.find(request.trial.command);
  if (candidates == by_command_.end()) {
    return found;
  }
  Distance least;
  for (const MeasuredTrial* seen : candidates->second) {
    const bool itself = seen->trial.id == request.trial.id;
    if (seen->keys.network != request.keys.network || (itself && request.leave_out) ||
        speedup(request, *seen) == 0) {
      continue;
    }
    const Distance distance = distance_of(request, *seen);
    if (found.empty() || distance < least) {
      least = distance;
      found.clear();
    }
    if (distance == least) {
      found.push_back(seen);
    }
  }
  return found;
}

/// 0: nothing is known of that device.
double Estimator::speedup(const EstimateRequest& request, const MeasuredTrial& seen) const {
  const bool gpu = request.place.gpus > 0;
  if (!uses_device(request.trial.command) || gpu == seen.on_gpu) {
    return 1;
  }
  return gpu ? options_.device_speedup : 0;
}

double Estimator::seconds(const EstimateRequest& request, const MeasuredTrial& seen) const {
  const double faster = speedup(request, seen);
  if (request.trial.steps > 0) {
    return training_s(seen.training, options_.seen_on, layout_of(request, seen), options_.network,
                      faster);
  }
  const double ranks = shares_cases(request.trial.command)
                           ? static_cast<double>(seen.cost.ranks) / request.place.ranks
                           : 1;
  return seen.cost.wall_s * ranks / faster;
}

std::string Estimator::why_none(const EstimateRequest& request) const {
  const std::string& command = request.trial.command;
  if (!by_command_.contains(command)) {
    return "no '" + command + "' was measured";
  }
  if (request.place.gpus > 0 && uses_device(command)) {
    return "no run on a GPU was measured; --device-speedup X would assume one";
  }
  return command == "train" ? "no training of this task and network was measured"
                            : "no other trial was measured";
}

Estimate Estimator::estimate(const EstimateRequest& request) const {
  Estimate estimate;
  try {
    estimate.rests_on = nearest(request);
    for (const MeasuredTrial* seen : estimate.rests_on) {
      estimate.seconds += seconds(request, *seen) / static_cast<double>(estimate.rests_on.size());
    }
  } catch (const ConfigError& e) {  // such a training would be refused
    return {.reason = e.what()};
  }
  if (estimate.rests_on.empty()) {
    estimate.reason = why_none(request);
    return estimate;
  }
  const MeasuredTrial& first = *estimate.rests_on.front();
  estimate.differs = differences(request.keys, first.keys);
  estimate.scaled = scalings(request, first);
  estimate.basis = first.trial.id == request.trial.id ? Basis::kSameTrial
                   : estimate.differs.empty()         ? Basis::kSameWork
                                                      : Basis::kNearest;
  add_volumes(request, estimate);
  return estimate;
}

}  // namespace hepar
