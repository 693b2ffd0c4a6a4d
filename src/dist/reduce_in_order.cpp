#include <cstddef>
#include <string>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/dist/gradient_reducer.h"
#include "shard_rules.h"
#include "tree_reduction.h"

namespace hepar {
namespace {

using Vectors = std::vector<std::vector<double>>;

void check_parts(const Vectors& parts, Communicator& communicator, const ReducerOptions& options) {
  const std::string where = "reduce_in_order, rank " + std::to_string(communicator.rank());
  require<ShapeError>(!parts.empty(), where + ": wanted a vector a micro-batch, found none");
  for (const std::vector<double>& part : parts) {
    require<ShapeError>(part.size() == parts[0].size(),
                        where + ": wanted vectors of one length, found " +
                            std::to_string(parts[0].size()) + " and " +
                            std::to_string(part.size()));
  }
  if (options.reduction == Reduction::kTree) {
    check_tree_ranks(communicator.size(), options.shards);
    const std::int64_t wanted = options.shards / communicator.size();
    require<ShapeError>(static_cast<std::int64_t>(parts.size()) == wanted,
                        where + ": wanted " + std::to_string(wanted) +
                            " parts (dist.shards / ranks), found " + std::to_string(parts.size()));
  }
}

void add(std::vector<double>& into, const std::vector<double>& other) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    into[i] += other[i];
  }
}

}  // namespace

std::vector<double> reduce_in_order(const Vectors& parts, Communicator& communicator,
                                    const ReducerOptions& options) {
  check_parts(parts, communicator, options);
  if (options.reduction == Reduction::kFast) {
    std::vector<double> sum = parts[0];
    for (std::size_t i = 1; i < parts.size(); ++i) {
      add(sum, parts[i]);
    }
    communicator.all_reduce(sum, ReduceOp::kSum);
    return sum;
  }
  Vectors level = parts;
  for (; level.size() > 1; level.resize(level.size() / 2)) {
    for (std::size_t i = 0; 2 * i < level.size(); ++i) {
      add(level[2 * i], level[2 * i + 1]);
      std::swap(level[i], level[2 * i]);
    }
  }
  std::vector<double> scratch;
  combine_in_tree(level[0], scratch, communicator);
  return level[0];
}

}  // namespace hepar
