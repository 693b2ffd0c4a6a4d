#include "hepar/nn/autocast.h"

#include <ATen/autocast_mode.h>

namespace hepar {

Autocast::Autocast(const Compute& compute) : compute_(compute) {
  if (compute_.type == at::kFloat) {
    return;
  }
  const at::DeviceType device = compute_.device.type();
  was_on_ = at::autocast::is_autocast_enabled(device);
  type_before_ = at::autocast::get_autocast_dtype(device);
  at::autocast::set_autocast_enabled(device, true);
  at::autocast::set_autocast_dtype(device, compute_.type);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (compute_.type == at::kFloat) {
    return;
  }
  if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();  // weights change until the next forward
  }
  at::autocast::set_autocast_dtype(compute_.device.type(), type_before_);
  at::autocast::set_autocast_enabled(compute_.device.type(), was_on_);
}

}  // namespace hepar
