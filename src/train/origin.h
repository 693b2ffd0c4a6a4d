#pragma once
#include <hepar/core/json.h>
#include <hepar/nn/resnet.h>
#include <hepar/train/transfer.h>

#include <string>

namespace hepar {

/// What weights a run started from; all empty when it drew its own.
struct Origin {
  std::string weights;  ///< xxh64 of the file they came from
  Lineage lineage;
  Json report = Json::object();  ///< OUT/transfer.json; of a run that starts now

  /// For state.json: a continued run reads the source no more.
  [[nodiscard]] Json to_json() const;
};

/// Applies config.from, if any, to the fresh weights in `parameters` and logs what was done.
Origin start_from(const InitConfig& config, const TransferTarget& target,
                  const NamedTensors& parameters);

/// The same for a staging network: copies the backbone of a staging model, or of a safetensors file
/// with a backbone's names (data_prep/tools/import_medicalnet.py); the head stays as drawn.
Origin start_backbone_from(const InitConfig& config, Backbone& backbone);

/// The origin of a continued run, as its checkpoint's state tells. Throws ConfigError when
/// config.from now means other weights; a source that is gone is no problem.
Origin continued_origin(const InitConfig& config, const Json& state, const std::string& where);

}  // namespace hepar
