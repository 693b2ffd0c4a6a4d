// The compiled half of tests/oracle/peer_networks.py: writes a staging network's weights, and what
// it makes of the peer's VOI, as safetensors.
//   peer_networks BACKBONE NORM SHORTCUT WIDTH VOI [WEIGHTS] OUT
// VOI holds "voi" [N, C, z, y, x]; WEIGHTS are loaded into the backbone. OUT holds every parameter
// and buffer, "features" and "logits" of the network in evaluation.
#include <iostream>

#include "hepar/core/error.h"
#include "hepar/nn/staging_network.h"
#include "hepar/train/tensor_io.h"

namespace hepar {
namespace {

void run(const std::vector<std::string>& arguments) {
  require<ConfigError>(arguments.size() == 6 || arguments.size() == 7,
                       "usage: BACKBONE NORM SHORTCUT WIDTH VOI [WEIGHTS] OUT");
  const at::Tensor voi = read_tensors(arguments[4]).at(0).second;
  StagingOptions options;
  options.backbone = {.name = arguments[0],
                      .width = std::stol(arguments[3]),
                      .norm = arguments[1],
                      .shortcut = arguments[2]};
  options.in_channels = voi.size(1);
  StagingNetwork network(options, 11);
  if (arguments.size() == 7) {
    const BackboneTransfer report = load_backbone(network.backbone(), read_tensors(arguments[5]));
    std::cout << report.copied.size() << " copied, " << report.inflated.size() << " inflated, "
              << report.fresh.size() << " fresh, " << report.unused.size() << " unused\n";
  }
  network.eval();
  const at::NoGradGuard no_grad;
  const StagingOutput output = network.forward(voi);
  NamedTensors tensors{{"features", output.features.contiguous()}, {"logits", output.logits}};
  for (const auto& item : network.named_parameters()) {
    tensors.emplace_back(item.key(), item.value());
  }
  for (const auto& item : network.named_buffers()) {
    tensors.emplace_back(item.key(), item.value());
  }
  write_tensors(arguments.back(), tensors);
}

}  // namespace
}  // namespace hepar

int main(int argc, char** argv) {
  try {
    hepar::run({argv + 1, argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
