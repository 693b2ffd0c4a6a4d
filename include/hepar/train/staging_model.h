#pragma once
#include <hepar/io/lineage.h>
#include <hepar/nn/staging_network.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace hepar {

/// OUT/model of a staging network: weights.safetensors, network.yaml, model.json, lineage.json.
struct StagingModel {
  StagingOptions options;
  std::array<double, 4> sampler{0.25, 0.25, 0.25, 0.25};  ///< how often training drew each stage
  std::uint64_t seed = 0;                                 ///< of its training
  std::string fold = "all";                               ///< data.fold of its training
  std::shared_ptr<StagingNetwork> network;
  Lineage lineage = {};                     ///< which cases it has learnt from
  std::vector<CaseIdentity> held_out = {};  ///< cases its fold kept from it
  std::string weights_hash = {};            ///< xxh64 of weights.safetensors; set by load
};

/// Writes the folder under a temporary name and renames it.
void save_staging_model(const std::filesystem::path& folder, const StagingModel& model);

/// Network in evaluation mode on the CPU. Throws DataError naming file and field.
StagingModel load_staging_model(const std::filesystem::path& folder);

}  // namespace hepar
