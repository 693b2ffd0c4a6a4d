#pragma once
#include <hepar/io/lineage.h>
#include <hepar/nn/unet.h>
#include <hepar/plan/plan.h>
#include <hepar/train/tensor_io.h>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

/// What every model folder holds; those of one task add `description` and `fields`.
struct ModelFiles {
  const torch::nn::Module& network;                 ///< -> weights.safetensors
  std::pair<std::string, std::string> description;  ///< name and text of its YAML
  Json fields;                                      ///< of model.json: at least `task`
  const Lineage& lineage;
  const std::vector<CaseIdentity>& held_out;
};

/// Writes the folder, lineage.json included, under a temporary name and renames it.
void write_model_folder(const std::filesystem::path& folder, const ModelFiles& files);

/// A model.json of this format and task. Throws DataError naming the file.
Json read_model_json(const std::filesystem::path& file, const std::string& wanted_task);

/// The cases that a model's fold kept from it. Throws DataError.
std::vector<CaseIdentity> held_out_of(const Json& json, const std::filesystem::path& file);

/// Fills a network, turns it to evaluation and gives the xxh64 of weights.safetensors. Throws
/// DataError.
std::string load_weights(const std::filesystem::path& folder, torch::nn::Module& network);

/// OUT/model: what `predict` needs and nothing else: weights.safetensors, plan.yaml, model.json.
struct Model {
  Plan plan;
  std::vector<std::int64_t> mirror_axes;  ///< plan axes mirrored in training
  std::string orientation =
      "canonical";  ///< canonical | native: how images are turned before the plan's transpose
  std::shared_ptr<SegmentationNetwork> network;
  Lineage lineage = {};                     ///< which cases it has learnt from
  std::vector<CaseIdentity> held_out = {};  ///< cases its fold kept from it
  std::vector<std::string> regions = {};    ///< data.regions of its training
  std::string weights_hash = {};            ///< xxh64 of weights.safetensors; set by load_model()
};

/// The network of a plan; with `regions` one output each.
std::shared_ptr<SegmentationNetwork> make_network(const Plan& plan,
                                                  const std::vector<std::string>& regions,
                                                  std::uint64_t seed);

/// Writes the folder, lineage.json included, under a temporary name and renames it.
void save_model(const std::filesystem::path& folder, const Model& model);

/// Network in evaluation mode on the CPU. Throws DataError naming file and field.
Model load_model(const std::filesystem::path& folder);

}  // namespace hepar
