#pragma once
#include <hepar/pipeline/all_reduce_model.h>
#include <hepar/pipeline/measured_trials.h>

#include <map>
#include <string>
#include <vector>

namespace hepar {

/// What one trial is given to run on.
struct TrialPlace {
  int ranks = 1;
  int hosts = 1;
  int gpus = 0;
};

/// What an estimate rests on, the best first.
enum class Basis {
  kSameTrial,    ///< the trial itself was run
  kSameWork,     ///< another that differs in nothing that costs
  kNearest,      ///< one of the same command that differs in what `differs` says
  kNotMeasured,  ///< nothing: there is no estimate
};
std::string to_string(Basis basis);

struct Estimate {
  Basis basis = Basis::kNotMeasured;
  std::string reason = {};                          ///< why there is none
  std::vector<const MeasuredTrial*> rests_on = {};  ///< the mean of these
  std::vector<std::string> differs = {};            ///< keys
  std::vector<std::string> scaled = {};             ///< "20 -> 300 steps"
  double seconds = 0;
  double start_s = 0;  ///< of a training: what each start of it costs
  double core_hours = 0;
  double gpu_hours = 0;
  double written_bytes = 0;  ///< results and checkpoints
  double output_bytes = 0;   ///< results, which others read
  [[nodiscard]] bool measured() const { return basis != Basis::kNotMeasured; }
};

/// What is assumed of machines that were not measured.
struct EstimateOptions {
  NetworkModel seen_on = assumed_network(false);  ///< that of the measured runs
  NetworkModel network = assumed_network(false);  ///< that of the runs to come
  /// Of a GPU against all ranks' processors as measured; 0: none is assumed, and what a GPU would
  /// do is not measured.
  double device_speedup = 0;
};

/// Whether a command's cases are shared by its ranks; others work on one.
bool shares_cases(const std::string& command);
/// Whether a command computes on a GPU where there is one.
bool uses_device(const std::string& command);

/// Which estimate is wanted. What it names must outlive the call.
struct EstimateRequest {
  const Trial& trial;
  const CostKeys& keys;
  TrialPlace place = {};
  bool leave_out = false;  ///< as if the trial itself had not been measured
};

/// Estimates trials from measured ones, which must outlive it.
class Estimator {
 public:
  Estimator(const std::vector<MeasuredTrial>& measured, EstimateOptions options);

  [[nodiscard]] Estimate estimate(const EstimateRequest& request) const;

 private:
  [[nodiscard]] std::vector<const MeasuredTrial*> nearest(const EstimateRequest& request) const;
  [[nodiscard]] double seconds(const EstimateRequest& request, const MeasuredTrial& seen) const;
  [[nodiscard]] double speedup(const EstimateRequest& request, const MeasuredTrial& seen) const;
  [[nodiscard]] std::string why_none(const EstimateRequest& request) const;

  std::map<std::string, std::vector<const MeasuredTrial*>> by_command_;
  EstimateOptions options_;
};

}  // namespace hepar
