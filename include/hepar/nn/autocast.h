#pragma once
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace hepar {

/// What a network computes in. Weights, gradients and the optimizer are float whatever it is, and
/// so are what norms, losses and class activation maps add up.
struct Compute {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;  ///< of convolutions: float, or bfloat16 or half by autocast
};

/// While it lives, this thread's operators on compute.device take compute.type where Torch's
/// autocast holds that to be safe; float leaves them as they are.
class Autocast {
 public:
  explicit Autocast(const Compute& compute);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  Autocast(Autocast&&) = delete;
  Autocast& operator=(Autocast&&) = delete;

 private:
  Compute compute_;
  bool was_on_ = false;
  at::ScalarType type_before_ = at::kFloat;
};

}  // namespace hepar
