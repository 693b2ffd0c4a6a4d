#include <algorithm>
#include <bit>
#include <string>

#include "hepar/core/error.h"
#include "hepar/dist/gradient_reducer.h"
#include "shard_rules.h"

namespace hepar {
namespace {

bool is_power_of_two(std::int64_t n) {
  return n > 0 && std::has_single_bit(static_cast<std::uint64_t>(n));
}

std::int64_t power_below(std::int64_t n) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
}

std::string text(std::int64_t n) { return std::to_string(n); }

/// What to do with ranks that one training cannot use.
std::string side_by_side(std::int64_t ranks, std::int64_t usable) {
  const std::int64_t trainings = ranks / usable;
  std::string advice = "run one training with " + text(usable) + (usable == 1 ? " rank" : " ranks");
  if (trainings > 1) {
    advice += ", or " + text(trainings) + " folds or rows of the experiment side by side on " +
              text(trainings * usable) + " ranks ('hepar run EXP --ranks-per-trial " +
              text(usable) + "')";
  }
  return advice;
}

/// Part `index` of `total` slots cut into `parts` contiguous ranges of floor or ceil(total /
/// parts).
SlotRange share(std::int64_t total, std::int64_t parts, std::int64_t index) {
  const std::int64_t first = total * index / parts;
  return {first, total * (index + 1) / parts - first};
}

void check_tree_batch(std::int64_t global_batch, std::int64_t ranks, std::int64_t shards) {
  check_tree_ranks(ranks, shards);
  const std::int64_t most = power_below(std::max<std::int64_t>(global_batch, 1));
  require<ConfigError>(shards <= global_batch,
                       "dist.shards: wanted at most one shard a sample (train.global_batch is " +
                           text(global_batch) + "), found " + text(shards) +
                           "; set dist.shards to " + text(most) +
                           (ranks > most ? " and " + side_by_side(ranks, most) : std::string()));
}

}  // namespace

void check_tree_ranks(std::int64_t ranks, std::int64_t shards) {
  require<ConfigError>(is_power_of_two(shards),
                       "dist.shards: wanted a power of two with dist.reduction: tree, found " +
                           text(shards) + "; set it to " +
                           text(power_below(std::max<std::int64_t>(shards, 1))) +
                           (shards > 0 ? " or " + text(2 * power_below(shards)) : std::string()) +
                           ", or use dist.reduction: fast");
  const std::int64_t usable = std::min(power_below(ranks), shards);
  require<ConfigError>(is_power_of_two(ranks),
                       text(ranks) + " ranks: dist.reduction: tree wants a power of two; " +
                           side_by_side(ranks, usable) + ", or use dist.reduction: fast");
  require<ConfigError>(ranks <= shards, text(ranks) +
                                            " ranks: dist.reduction: tree with dist.shards " +
                                            text(shards) + " wants at most " + text(shards) + "; " +
                                            side_by_side(ranks, usable));
}

std::vector<SlotRange> micro_batches(std::int64_t global_batch, int rank, int ranks,
                                     const ReducerOptions& options) {
  require<ShapeError>(ranks >= 1 && rank >= 0 && rank < ranks,
                      "micro_batches: there is no rank " + text(rank) + " of " + text(ranks));
  require<ConfigError>(global_batch >= 1,
                       "train.global_batch: wanted at least 1, found " + text(global_batch));
  if (options.reduction == Reduction::kFast) {
    require<ConfigError>(ranks <= global_batch,
                         text(ranks) +
                             " ranks: wanted at most one a sample (train.global_batch is " +
                             text(global_batch) + "); " + side_by_side(ranks, global_batch));
    return {share(global_batch, ranks, rank)};
  }
  check_tree_batch(global_batch, ranks, options.shards);
  const std::int64_t mine = options.shards / ranks;
  std::vector<SlotRange> batches;
  for (std::int64_t shard = rank * mine; shard < (rank + 1) * mine; ++shard) {
    batches.push_back(share(global_batch, options.shards, shard));
  }
  return batches;
}

}  // namespace hepar
