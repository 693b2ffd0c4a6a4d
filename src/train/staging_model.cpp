#include "hepar/train/staging_model.h"

#include "hepar/core/config.h"
#include "hepar/core/json.h"
#include "hepar/train/model_folder.h"

namespace hepar {
namespace {

/// The keys of network.yaml.
struct NetworkFile {
  StagingOptions& options;
  void declare(ConfigSchema& schema) const {
    schema.section("backbone", options.backbone);
    schema.section("volume", options.volume);
    options.head.declare(schema);
    schema.add("semantic_branch", options.semantic_branch, "The SEM branch of csl.target sem");
    schema.add("in_channels", options.in_channels, "Image, mask", Range{.low = 1});
  }
};

}  // namespace

void save_staging_model(const std::filesystem::path& folder, const StagingModel& model) {
  StagingOptions options = model.options;
  ConfigSchema schema;
  NetworkFile{options}.declare(schema);
  write_model_folder(folder, {.network = *model.network,
                              .description = {"network.yaml", schema.to_yaml()},
                              .fields = {{"task", "staging"},
                                         {"stage_prior", model.options.stage_prior},
                                         {"sampler", model.sampler},
                                         {"seed", model.seed},
                                         {"fold", model.fold}},
                              .lineage = model.lineage,
                              .held_out = model.held_out});
}

StagingModel load_staging_model(const std::filesystem::path& folder) {
  const std::string file = (folder / "model.json").string();
  const Json json = read_model_json(file, "staging");
  StagingModel model;
  ConfigSchema schema;
  NetworkFile{model.options}.declare(schema);
  schema.read_yaml(folder / "network.yaml");
  model.options.stage_prior = json_get<std::array<double, 4>>(json, "stage_prior", file);
  model.sampler = json_get<std::array<double, 4>>(json, "sampler", file);
  model.seed = json_get<std::uint64_t>(json, "seed", file);
  model.fold = json_get<std::string>(json, "fold", file);
  model.held_out = held_out_of(json, file);
  model.lineage = read_lineage(folder).value_or(Lineage{});
  model.network = std::make_shared<StagingNetwork>(model.options, 0);
  model.weights_hash = load_weights(folder, *model.network);
  return model;
}

}  // namespace hepar
