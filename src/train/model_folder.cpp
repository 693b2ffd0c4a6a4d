#include "hepar/train/model_folder.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/version.h"
#include "hepar/nn/regions.h"

namespace hepar {
namespace {

NamedTensors named_parameters(const SegmentationNetwork& network) {
  NamedTensors named;
  for (const auto& item : network.named_parameters()) {
    named.emplace_back(item.key(), item.value());
  }
  return named;
}

}  // namespace

std::shared_ptr<SegmentationNetwork> make_network(const Plan& plan,
                                                  const std::vector<std::string>& regions,
                                                  std::uint64_t seed) {
  UNetOptions options = unet_options(plan);
  const std::size_t outputs = parse_regions(regions, plan.classes).size();
  options.classes = outputs > 0 ? static_cast<std::int64_t>(outputs) : options.classes;
  return make_unet(options, seed);
}

void save_model(const std::filesystem::path& folder, const Model& model) {
  const fs::path temporary = folder.parent_path() / (".tmp-" + folder.filename().string());
  fs::remove_all(temporary);
  make_writable_directory(temporary);
  write_tensors(temporary / "weights.safetensors", named_parameters(*model.network));
  write_atomically(temporary / "plan.yaml", to_yaml(model.plan));
  Json json{{"format", 1},
            {"task", "segmentation"},
            {"mirror_axes", model.mirror_axes},
            {"orientation", model.orientation},
            {"tool_version", version()},
            {"regions", model.regions},
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

Model load_model(const std::filesystem::path& folder) {
  const fs::path file = folder / "model.json";
  const Json json = read_json(file);
  const auto format = json_get<int>(json, "format", file.string());
  require<DataError>(format == 1,
                     file.string() + ": wanted format 1, found " + std::to_string(format));
  const std::string task = json.value("task", "segmentation");
  require<DataError>(task == "segmentation",
                     file.string() + ": wanted a segmentation model, found task '" + task + "'");
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
  if (json.contains("held_out")) {  // imported models have none
    for (const Json& item : json_get<std::vector<Json>>(json, "held_out", file.string())) {
      model.held_out.push_back(case_identity_from_json(item, file.string()));
    }
  }
  model.lineage = read_lineage(folder).value_or(Lineage{});
  if (json.contains("regions")) {
    model.regions = json_get<std::vector<std::string>>(json, "regions", file.string());
  }
  model.network = make_network(model.plan, model.regions, 0);
  const fs::path weights = folder / "weights.safetensors";
  model.weights_hash = to_hex(xxh64_of_file(weights.string()));
  copy_tensors(read_tensors(weights), named_parameters(*model.network), weights.string());
  model.network->eval();
  model.network->deep_supervision = false;
  return model;
}

}  // namespace hepar
