#include "hepar/dist/start_check.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <cstddef>
#include <span>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

/// One "name: value" a line, the host first; fields hold no line breaks.
std::string to_lines(const std::string& host, const RunIdentity& identity) {
  const std::vector<std::string> lines{host,
                                       "configuration: " + identity.config_hash,
                                       "plan: " + identity.plan_hash,
                                       "data: " + identity.data_hash,
                                       "code version: " + identity.code_version,
                                       "CPU instruction set: " + identity.instruction_set,
                                       "threads: " + std::to_string(identity.threads),
                                       "parameters: " + std::to_string(identity.parameter_count),
                                       "parameter shapes: " + identity.shapes_hash,
                                       "initial weights: " + identity.weights_hash};
  return join(lines, "\n");
}

std::vector<std::string> differences(const std::vector<std::string>& found,
                                     const std::vector<std::string>& wanted) {
  std::vector<std::string> texts;
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    if (found[i] != wanted[i]) {
      const std::string value = wanted[i].substr(wanted[i].find(": ") + 2);
      texts.push_back(found[i] + " (rank 0: " + value + ")");
    }
  }
  return texts;
}

}  // namespace

void identify_model(const std::vector<at::Tensor>& parameters, RunIdentity& identity) {
  Xxh64 shapes;
  Xxh64 weights;
  for (const at::Tensor& parameter : parameters) {
    const std::vector<std::int64_t> sizes = parameter.sizes().vec();
    const auto dimensions = static_cast<std::int64_t>(sizes.size());
    shapes.update(std::as_bytes(std::span(&dimensions, 1)));
    shapes.update(std::as_bytes(std::span(sizes)));
    const at::Tensor values = parameter.detach().to(at::kCPU).contiguous();
    weights.update({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
  }
  identity.instruction_set = at::get_cpu_capability();
  identity.threads = at::get_num_threads();
  identity.parameter_count = static_cast<std::int64_t>(parameters.size());
  identity.shapes_hash = to_hex(shapes.digest());
  identity.weights_hash = to_hex(weights.digest());
}

void check_same_start(Communicator& communicator, const RunIdentity& identity) {
  const std::vector<std::string> all =
      communicator.all_gather(to_lines(communicator.host(), identity));
  const std::vector<std::string> wanted = split(all[0], '\n');
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].substr(all[rank].find('\n')) == all[0].substr(all[0].find('\n'))) {
      continue;
    }
    const std::vector<std::string> found = split(all[rank], '\n');
    throw AgreedError("rank " + std::to_string(rank) + " on " + found[0] +
                          " would not do the same work as rank 0 on " + wanted[0] + ": " +
                          join(differences(found, wanted), "; ") +
                          "; start every rank with the same program, configuration and data",
                      ExitCode::kCommunication);
  }
}

}  // namespace hepar
