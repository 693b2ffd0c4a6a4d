#pragma once
#include <c10/core/Device.h>

#include <hepar/comm/communicator.h>

#include <cstdint>
#include <string>

namespace hepar {

/// auto | cpu | cuda -> where a rank computes: with CUDA the device of its number on the host.
/// Throws ConfigError when cuda was asked for and this program sees no GPU.
at::Device choose_device(const std::string& name, const Communicator& communicator);

/// Threads of a rank: those asked for, or with 0 its share of the processors it may use: all where
/// the launcher gave each rank its own.
int choose_threads(std::int64_t asked, const Communicator& communicator);

}  // namespace hepar
