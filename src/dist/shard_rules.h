#pragma once
#include <cstdint>

namespace hepar {

/// Throws ConfigError unless ranks and K are powers of two and ranks <= K; proposes what to run
/// instead.
void check_tree_ranks(std::int64_t ranks, std::int64_t shards);

}  // namespace hepar
