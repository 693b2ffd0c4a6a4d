#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/comm/communicator.h>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// What must be the same on every rank before the first step; hashes as to_hex() writes them.
struct RunIdentity {
  std::string config_hash{};
  std::string plan_hash{};
  std::string data_hash{};
  std::string code_version{};
  std::string instruction_set{};  ///< ATen's choice of kernels; two of them give two roundings
  std::int64_t threads = 0;       ///< ATen's intra-op threads (run.threads)
  std::int64_t parameter_count = 0;
  std::string shapes_hash{};   ///< of all parameters' shapes, in order
  std::string weights_hash{};  ///< of their initial values
};

/// Fills what Torch knows: instruction_set, threads and the model's four fields. `parameters`: any
/// device, any dtype; copied to the CPU one at a time.
void identify_model(const std::vector<at::Tensor>& parameters, RunIdentity& identity);

/// Throws AgreedError (exit 4) on every rank, with the lowest rank that differs from rank 0, both
/// hosts and every field that differs. Collective.
void check_same_start(Communicator& communicator, const RunIdentity& identity);

}  // namespace hepar
