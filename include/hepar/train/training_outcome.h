#pragma once
#include <hepar/core/error.h>

#include <cstdint>
#include <string>

namespace hepar {

/// How a training ended.
struct TrainOutcome {
  ExitCode code = ExitCode::kDone;  ///< kDone or kResumable
  std::int64_t steps_done = 0;
  std::string weights_hash;
};

}  // namespace hepar
