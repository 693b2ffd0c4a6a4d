#include "hepar/train/device.h"

#include <ATen/Context.h>

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/parallel.h"

namespace hepar {

at::Device choose_device(const std::string& name, const Communicator& communicator) {
  const bool cuda = at::globalContext().hasCUDA();
  require<ConfigError>(name != "cuda" || cuda,
                       "device: cuda was asked for, but this program sees no GPU; "
                       "use device=cpu or a build with HEPAR_CUDA=ON on a GPU node");
  if (name == "cpu" || !cuda) {
    return at::kCPU;
  }
  return {at::kCUDA, static_cast<at::DeviceIndex>(communicator.local_rank())};
}

int choose_threads(std::int64_t asked, const Communicator& communicator) {
  return asked > 0 ? static_cast<int>(asked)
                   : std::max(1, usable_processors() / communicator.local_sharers());
}

}  // namespace hepar
