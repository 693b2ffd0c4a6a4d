#pragma once
#include <hepar/core/json.h>
#include <hepar/io/lineage.h>
#include <hepar/plan/plan.h>
#include <hepar/train/tensor_io.h>
#include <hepar/train/train_config.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// What became of one parameter of the network.
struct TransferredLayer {
  std::string name;
  std::string action;  ///< copied | reset | inflated | new
  std::string reason;  ///< of anything but copied
};

struct TransferReport {
  std::string source;   ///< model folder
  std::string weights;  ///< xxh64 of its weights file
  std::vector<TransferredLayer> layers;
  std::vector<std::string> unused;  ///< in the source only
  Lineage lineage;                  ///< of the source

  [[nodiscard]] std::size_t count(const std::string& action) const;
  /// "init from DIR: 20 layers copied, 4 reset (…), …".
  [[nodiscard]] std::string summary() const;
  [[nodiscard]] Json to_json() const;
};

/// A run folder stands for the model inside it.
std::filesystem::path model_folder_of(const std::string& run_or_model);

/// What the heads of a network mean.
struct TransferTarget {
  const Plan& plan;
  const std::vector<std::string>& regions;  ///< data.regions
};

/// Copies the weights of a saved model into `parameters` of the target's network, by name and
/// shape. Heads (seg_layers) keep their fresh weights ("reset") with heads=reset, or where the
/// classes or regions differ. A first convolution with another number of input channels is
/// inflated: each channel takes the mean over the source's, scaled so that equal images give equal
/// activations. A layer with no counterpart stays as drawn ("new"). Throws DataError; ConfigError
/// when nothing could be copied.
TransferReport transfer_weights(const InitConfig& config, const TransferTarget& target,
                                const NamedTensors& parameters);

}  // namespace hepar
