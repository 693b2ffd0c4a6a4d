#include "hepar/dist/step_flags.h"

#include <algorithm>
#include <cmath>

#include "hepar/core/error.h"

namespace hepar {
namespace {

enum Slot : std::size_t { kStop, kNonFinite, kSaveFailed, kHash, kMinusHash, kSlowest };

// Time and rank in one number, so that one MAX finds the slowest and who it is.
constexpr std::int64_t kRankRange = std::int64_t{1} << 20;
constexpr double kMostMicroseconds = 8.0e12;  // 92 days; fits beside the rank

std::int64_t microseconds(double ms) {
  return std::isfinite(ms) ? std::llround(std::clamp(1000.0 * ms, 0.0, kMostMicroseconds)) : 0;
}

}  // namespace

StepFlags::StepFlags(Communicator& communicator) : communicator_(communicator) {}

void StepFlags::start(const StepReport& report) {
  require(!pending_.active(),
          "StepFlags: start() before the report of the last step was waited for");
  const auto hash =
      static_cast<std::int64_t>(report.collective_hash >> 1);  // its negative must exist
  values_[kStop] = report.stop_requested ? 1 : 0;
  values_[kNonFinite] = report.non_finite ? 1 : 0;
  values_[kSaveFailed] = report.save_failed ? 1 : 0;
  values_[kHash] = hash;
  values_[kMinusHash] = -hash;
  values_[kSlowest] = microseconds(report.compute_ms) * kRankRange + communicator_.rank();
  pending_ = communicator_.start_all_reduce(values_, ReduceOp::kMax);
}

std::optional<StepSummary> StepFlags::wait() {
  if (!pending_.active()) {
    return std::nullopt;
  }
  pending_.wait();
  StepSummary summary;
  summary.any_stop = values_[kStop] != 0;
  summary.any_non_finite = values_[kNonFinite] != 0;
  summary.any_save_failed = values_[kSaveFailed] != 0;
  summary.hash_ok = values_[kHash] == -values_[kMinusHash];
  summary.slowest_rank = static_cast<int>(values_[kSlowest] % kRankRange);
  summary.max_compute_ms = static_cast<double>(values_[kSlowest] / kRankRange) / 1000.0;
  return summary;
}

}  // namespace hepar
