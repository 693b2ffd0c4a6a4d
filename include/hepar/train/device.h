#pragma once
#include <c10/core/Device.h>

#include <hepar/comm/communicator.h>
#include <string>

namespace hepar {

/// auto | cpu | cuda -> where a rank computes: with CUDA the device of its number on the host.
/// Throws ConfigError when cuda was asked for and this program sees no GPU.
at::Device choose_device(const std::string& name, const Communicator& communicator);

}  // namespace hepar
