#pragma once
#include <hepar/io/lineage.h>
#include <hepar/nn/unet.h>
#include <hepar/plan/plan.h>
#include <hepar/train/tensor_io.h>
#include <filesystem>
#include <memory>
#include <vector>

namespace hepar {

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
