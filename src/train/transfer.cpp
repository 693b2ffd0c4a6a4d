#include "hepar/train/transfer.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <map>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

constexpr const char* kHead = ".seg_layers.";

std::string shape_text(const at::Tensor& tensor) { return c10::str(tensor.sizes()); }

/// A convolution that differs in input channels only, and is the network's first.
bool can_inflate(const std::string& name, const at::Tensor& from, const at::Tensor& to) {
  const bool first = name.starts_with("encoder.stem.") || name.starts_with("encoder.stages.0.");
  if (!first || from.dim() != 5 || to.dim() != 5) {
    return false;
  }
  for (std::int64_t axis = 0; axis < 5; ++axis) {
    if (axis != 1 && from.size(axis) != to.size(axis)) {
      return false;
    }
  }
  return true;
}

at::Tensor inflate(const at::Tensor& weight, std::int64_t channels) {
  const double scale = static_cast<double>(weight.size(1)) / static_cast<double>(channels);
  return weight.mean(1, /*keepdim=*/true)
      .mul(scale)
      .expand({weight.size(0), channels, weight.size(2), weight.size(3), weight.size(4)});
}

/// What keeps a head from being copied; empty when nothing does.
std::string head_reset_reason(const InitConfig& config, const TransferTarget& source,
                              const TransferTarget& target) {
  if (source.plan.classes != target.plan.classes) {
    return "classes differ: there " + join(source.plan.classes, ", ") + ", here " +
           join(target.plan.classes, ", ");
  }
  if (source.regions != target.regions) {
    return "regions differ: there " + join(source.regions, ", ") + ", here " +
           join(target.regions, ", ");
  }
  return config.heads == "reset" ? "init.heads: reset" : "";
}

TransferredLayer transfer_layer(const std::string& name, const at::Tensor& target,
                                const at::Tensor& source) {
  if (source.sizes() == target.sizes()) {
    target.copy_(source);
    return {name, "copied", ""};
  }
  const std::string shapes = "there " + shape_text(source) + ", here " + shape_text(target);
  if (can_inflate(name, source, target)) {
    target.copy_(inflate(source, target.size(1)));
    return {name, "inflated", "input channels: " + shapes};
  }
  return {name, "new", "another shape: " + shapes};
}

}  // namespace

std::size_t TransferReport::count(const std::string& action) const {
  return static_cast<std::size_t>(
      std::count_if(layers.begin(), layers.end(),
                    [&](const TransferredLayer& layer) { return layer.action == action; }));
}

std::string TransferReport::summary() const {
  std::vector<std::string> parts;
  for (const char* action : {"copied", "reset", "inflated", "new"}) {
    const auto first =
        std::find_if(layers.begin(), layers.end(),
                     [&](const TransferredLayer& layer) { return layer.action == action; });
    if (first != layers.end()) {
      parts.push_back(std::to_string(count(action)) + " " + action +
                      (first->reason.empty() ? "" : " (" + first->reason + ")"));
    }
  }
  return "init from " + source + ": " + join(parts, ", ") +
         (unused.empty() ? "" : "; " + std::to_string(unused.size()) + " of it unused");
}

Json TransferReport::to_json() const {
  Json json{{"source", source}, {"weights_xxh64", weights}, {"layers", Json::array()}};
  for (const TransferredLayer& layer : layers) {
    json["layers"].push_back(
        {{"name", layer.name}, {"action", layer.action}, {"reason", layer.reason}});
  }
  json["unused"] = unused;
  json["lineage"] = lineage.to_json();
  return json;
}

std::filesystem::path model_folder_of(const std::string& run_or_model) {
  const fs::path inside = fs::path(run_or_model) / "model";
  return fs::is_directory(inside) ? inside : fs::path(run_or_model);
}

TransferReport transfer_weights(const InitConfig& config, const TransferTarget& target,
                                const NamedTensors& parameters) {
  const fs::path folder = model_folder_of(config.from);
  const fs::path weights = folder / "weights.safetensors";
  const Plan source_plan = read_plan(folder / "plan.yaml");
  const NamedTensors tensors = read_tensors(weights);
  std::map<std::string, at::Tensor> source(tensors.begin(), tensors.end());
  TransferReport report{.source = folder.string(),
                        .weights = to_hex(xxh64_of_file(weights.string())),
                        .layers = {},
                        .unused = {},
                        .lineage = read_lineage(folder).value_or(Lineage{})};
  const Json model = read_json(folder / "model.json");
  const auto regions = model.value("regions", std::vector<std::string>{});
  const std::string reset = head_reset_reason(config, {source_plan, regions}, target);
  const at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    const auto found = source.find(name);
    const bool head = name.find(kHead) != std::string::npos;
    if (head && !reset.empty()) {
      report.layers.push_back({name, "reset", reset});
    } else if (found == source.end()) {
      report.layers.push_back({name, "new", "not in the source"});
    } else {
      report.layers.push_back(transfer_layer(name, parameter, found->second));
    }
    source.erase(name);
  }
  for (const auto& [name, tensor] : source) {
    report.unused.push_back(name);
  }
  require<ConfigError>(report.count("copied") > 0,
                       "init.from: no layer of " + folder.string() +
                           " has a name and shape of this network; train both with one plan");
  return report;
}

}  // namespace hepar
