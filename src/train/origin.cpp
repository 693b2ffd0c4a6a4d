#include "origin.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"

namespace hepar {

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
    const fs::path file = model_folder_of(config.from) / "weights.safetensors";
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
