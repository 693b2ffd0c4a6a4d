#include "origin.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"

namespace hepar {
namespace {

/// A weights file, or that of a model or run folder.
fs::path weights_file(const std::string& from) {
  return fs::is_regular_file(from) ? fs::path(from) : model_folder_of(from) / "weights.safetensors";
}

}  // namespace

Json Origin::to_json() const {
  return {{"weights_xxh64", weights}, {"lineage", lineage.to_json()}};
}

Origin start_from(const InitConfig& config, const TransferTarget& target,
                  const NamedTensors& parameters) {
  if (config.from.empty()) {
    return {};
  }
  const TransferReport report = transfer_weights(config, target, parameters);
  log::info(report.summary());
  return {.weights = report.weights, .lineage = report.lineage, .report = report.to_json()};
}

Origin start_backbone_from(const InitConfig& config, Backbone& backbone) {
  if (config.from.empty()) {
    return {};
  }
  const fs::path file = weights_file(config.from);
  NamedTensors tensors;
  for (auto& [name, values] : read_tensors(file)) {
    const std::string prefix = "backbone.";
    const bool staging = name.starts_with(prefix);
    if (staging || !name.starts_with("head.")) {
      tensors.emplace_back(staging ? name.substr(prefix.size()) : name, values);
    }
  }
  const BackboneTransfer transfer = load_backbone(backbone, tensors);
  log::info("init from " + file.string() + ": " + std::to_string(transfer.copied.size()) +
            " tensors copied, " + std::to_string(transfer.inflated.size()) + " inflated, " +
            std::to_string(transfer.fresh.size()) + " as drawn, " +
            std::to_string(transfer.unused.size()) + " not used");
  return {.weights = to_hex(xxh64_of_file(file.string())),
          .lineage = read_lineage(file.parent_path()).value_or(Lineage{}),
          .report = {{"source", file.string()},
                     {"copied", transfer.copied},
                     {"inflated", transfer.inflated},
                     {"new", transfer.fresh},
                     {"unused", transfer.unused}}};
}

Origin continued_origin(const InitConfig& config, const Json& state, const std::string& where) {
  Origin origin;
  if (state.contains("init")) {  // checkpoints written before transfer have none
    const Json json = json_get<Json>(state, "init", where);
    origin.weights = json_get<std::string>(json, "weights_xxh64", where);
    origin.lineage = Lineage::from_json(json_get<Json>(json, "lineage", where), where);
  }
  require<ConfigError>(config.from.empty() == origin.weights.empty(),
                       where + ": init.from: this run was started " +
                           (origin.weights.empty() ? "without" : "with") +
                           " it; use the same or choose another --out");
  if (!config.from.empty()) {
    const fs::path file = weights_file(config.from);
    const std::string now =
        fs::exists(file) ? to_hex(xxh64_of_file(file.string())) : origin.weights;
    require<ConfigError>(now == origin.weights,
                         where + ": init.from: this run was started from weights " +
                             origin.weights + ", " + file.string() + " are " + now +
                             "; choose another --out");
  }
  return origin;
}

}  // namespace hepar
