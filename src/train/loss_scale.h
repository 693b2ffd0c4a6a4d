#pragma once
#include <hepar/core/json.h>

#include <cstdint>

namespace hepar {

/// The factor on the loss that keeps small gradients from vanishing in half precision (Micikevicius
/// et al., 2018): halved by an overflow, whose step is left out, and doubled after 2,000 steps
/// without one, from 65,536 on, as torch.amp.GradScaler does. Off: 1.
class LossScale {
 public:
  explicit LossScale(bool on) : on_(on), value_(on ? kFirst : 1) {}

  [[nodiscard]] bool on() const { return on_; }
  [[nodiscard]] double value() const { return value_; }

  /// After a step whose gradient was finite or not. False when the latter is an error: nothing is
  /// scaled, or no scale is small enough.
  [[nodiscard]] bool absorb(bool finite);

  [[nodiscard]] Json state() const { return {{"value", value_}, {"finite_steps", finite_steps_}}; }
  void load(const Json& state);

 private:
  static constexpr double kFirst = 65536;

  bool on_;
  double value_;
  std::int64_t finite_steps_ = 0;  ///< since the scale changed
};

}  // namespace hepar
