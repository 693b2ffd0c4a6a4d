#include "hepar/train/model_folder.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/version.h"
#include "hepar/nn/regions.h"

namespace hepar {
namespace {

constexpr int kFormat = 1;
constexpr const char* kWeights = "weights.safetensors";

}  // namespace

void write_model_folder(const std::filesystem::path& folder, const ModelFiles& files) {
  const fs::path temporary = folder.parent_path() / (".tmp-" + folder.filename().string());
  fs::remove_all(temporary);
  make_writable_directory(temporary);
  write_tensors(temporary / kWeights, weights_of(files.network));
  write_atomically(temporary / files.description.first, files.description.second);
  Json json = files.fields;
  json["format"] = kFormat;
  json["tool_version"] = version();
  json["held_out"] = Json::array();
  for (const CaseIdentity& item : files.held_out) {
    json["held_out"].push_back(to_json(item));
  }
  write_json(temporary / "model.json", json);
  write_lineage(temporary, files.lineage);
  sync_path(temporary);
  fs::remove_all(folder);
  fs::rename(temporary, folder);
  sync_path(folder.parent_path());
}

Json read_model_json(const std::filesystem::path& file, const std::string& wanted_task) {
  Json json = read_json(file);
  const auto format = json_get<int>(json, "format", file.string());
  require<DataError>(format == kFormat, file.string() + ": wanted format " +
                                            std::to_string(kFormat) + ", found " +
                                            std::to_string(format));
  const std::string task = json.value("task", "segmentation");  // of old, the only one
  require<DataError>(task == wanted_task, file.string() + ": wanted a model of task '" +
                                              wanted_task + "', found '" + task + "'");
  return json;
}

std::vector<CaseIdentity> held_out_of(const Json& json, const std::filesystem::path& file) {
  std::vector<CaseIdentity> held_out;
  if (json.contains("held_out")) {  // imported models have none
    for (const Json& item : json_get<std::vector<Json>>(json, "held_out", file.string())) {
      held_out.push_back(case_identity_from_json(item, file.string()));
    }
  }
  return held_out;
}

std::string load_weights(const std::filesystem::path& folder, torch::nn::Module& network) {
  const fs::path weights = folder / kWeights;
  copy_tensors(read_tensors(weights), weights_of(network), weights.string());
  network.eval();
  return to_hex(xxh64_of_file(weights.string()));
}

std::shared_ptr<SegmentationNetwork> make_network(const Plan& plan,
                                                  const std::vector<std::string>& regions,
                                                  std::uint64_t seed) {
  UNetOptions options = unet_options(plan);
  const std::size_t outputs = parse_regions(regions, plan.classes).size();
  options.classes = outputs > 0 ? static_cast<std::int64_t>(outputs) : options.classes;
  return make_unet(options, seed);
}

void save_model(const std::filesystem::path& folder, const Model& model) {
  write_model_folder(folder, {.network = *model.network,
                              .description = {"plan.yaml", to_yaml(model.plan)},
                              .fields = {{"task", "segmentation"},
                                         {"mirror_axes", model.mirror_axes},
                                         {"orientation", model.orientation},
                                         {"regions", model.regions}},
                              .lineage = model.lineage,
                              .held_out = model.held_out});
}

Model load_model(const std::filesystem::path& folder) {
  const fs::path file = folder / "model.json";
  const Json json = read_model_json(file, "segmentation");
  Model model;
  model.plan = read_plan(folder / "plan.yaml");
  model.mirror_axes = json_get<std::vector<std::int64_t>>(json, "mirror_axes", file.string());
  model.orientation = json_get<std::string>(json, "orientation", file.string());
  require<DataError>(model.orientation == "canonical" || model.orientation == "native",
                     file.string() + ": key 'orientation': wanted canonical or native, found '" +
                         model.orientation + "'");
  for (const std::int64_t axis : model.mirror_axes) {
    require<DataError>(
        axis >= 0 && axis < 3,
        file.string() + ": key 'mirror_axes': wanted 0, 1 or 2, found " + std::to_string(axis));
  }
  model.held_out = held_out_of(json, file);
  model.lineage = read_lineage(folder).value_or(Lineage{});
  if (json.contains("regions")) {
    model.regions = json_get<std::vector<std::string>>(json, "regions", file.string());
  }
  model.network = make_network(model.plan, model.regions, 0);
  model.weights_hash = load_weights(folder, *model.network);
  model.network->deep_supervision = false;
  return model;
}

}  // namespace hepar
