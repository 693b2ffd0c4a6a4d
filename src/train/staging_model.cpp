#include "hepar/train/staging_model.h"

#include "hepar/core/config.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/version.h"
#include "hepar/train/tensor_io.h"

namespace hepar {
namespace {

/// The keys of network.yaml.
struct NetworkFile {
  StagingOptions& options;
  void declare(ConfigSchema& schema) const {
    schema.section("backbone", options.backbone);
    options.head.declare(schema);
    schema.add("semantic_branch", options.semantic_branch, "The SEM branch of csl.target sem");
    schema.add("in_channels", options.in_channels, "Image, mask", Range{.low = 1});
  }
};

NamedTensors weights_of(const StagingNetwork& network) {
  NamedTensors named;
  for (const auto& item : network.named_parameters()) {
    named.emplace_back(item.key(), item.value());
  }
  for (const auto& item : network.named_buffers()) {
    named.emplace_back(item.key(), item.value());
  }
  return named;
}

}  // namespace

void save_staging_model(const std::filesystem::path& folder, const StagingModel& model) {
  const fs::path temporary = folder.parent_path() / (".tmp-" + folder.filename().string());
  fs::remove_all(temporary);
  make_writable_directory(temporary);
  write_tensors(temporary / "weights.safetensors", weights_of(*model.network));
  StagingOptions options = model.options;
  ConfigSchema schema;
  NetworkFile{options}.declare(schema);
  write_atomically(temporary / "network.yaml", schema.to_yaml());
  Json json{{"format", 1},
            {"task", "staging"},
            {"stage_prior", model.options.stage_prior},
            {"sampler", model.sampler},
            {"seed", model.seed},
            {"fold", model.fold},
            {"tool_version", version()},
            {"held_out", Json::array()}};
  for (const CaseIdentity& item : model.held_out) {
    json["held_out"].push_back(to_json(item));
  }
  write_json(temporary / "model.json", json);
  write_lineage(temporary, model.lineage);
  sync_path(temporary);
  fs::remove_all(folder);
  fs::rename(temporary, folder);
  sync_path(folder.parent_path());
}

StagingModel load_staging_model(const std::filesystem::path& folder) {
  const std::string file = (folder / "model.json").string();
  const Json json = read_json(file);
  const auto format = json_get<int>(json, "format", file);
  const auto task = json_get<std::string>(json, "task", file);
  require<DataError>(format == 1 && task == "staging",
                     file + ": wanted format 1 and task staging, found format " +
                         std::to_string(format) + " and task " + task);
  StagingModel model;
  ConfigSchema schema;
  NetworkFile{model.options}.declare(schema);
  schema.read_yaml(folder / "network.yaml");
  model.options.stage_prior = json_get<std::array<double, 4>>(json, "stage_prior", file);
  model.sampler = json_get<std::array<double, 4>>(json, "sampler", file);
  model.seed = json_get<std::uint64_t>(json, "seed", file);
  model.fold = json_get<std::string>(json, "fold", file);
  for (const Json& item : json_get<std::vector<Json>>(json, "held_out", file)) {
    model.held_out.push_back(case_identity_from_json(item, file));
  }
  model.lineage = read_lineage(folder).value_or(Lineage{});
  model.network = std::make_shared<StagingNetwork>(model.options, 0);
  const fs::path weights = folder / "weights.safetensors";
  model.weights_hash = to_hex(xxh64_of_file(weights.string()));
  copy_tensors(read_tensors(weights), weights_of(*model.network), weights.string());
  model.network->eval();
  return model;
}

}  // namespace hepar
