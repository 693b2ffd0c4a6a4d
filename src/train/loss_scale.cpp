#include "loss_scale.h"

namespace hepar {
namespace {

constexpr double kFactor = 2;
constexpr std::int64_t kGrowEvery = 2000;
constexpr double kLeast = 1.0 / 1024;  // a gradient that overflows below is not the scale's doing

}  // namespace

bool LossScale::absorb(bool finite) {
  if (!on_) {
    return finite;
  }
  if (!finite) {
    value_ /= kFactor;
    finite_steps_ = 0;
  } else if (++finite_steps_ == kGrowEvery) {
    value_ *= kFactor;
    finite_steps_ = 0;
  }
  return value_ >= kLeast;
}

void LossScale::load(const Json& state) {
  value_ = state.at("value").get<double>();
  finite_steps_ = state.at("finite_steps").get<std::int64_t>();
}

}  // namespace hepar
