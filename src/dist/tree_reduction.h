#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "flat_gradients.h"
#include "hepar/comm/communicator.h"
#include "reduction_strategy.h"

namespace hepar {

/// The fixed binary tree over K leaves (gradient_reducer.h). Subtrees of this rank are folded as
/// leaves arrive, like the carries of a binary counter; the levels above are pairs of neighbouring
/// ranks.
class TreeReduction : public ReductionStrategy {
 public:
  TreeReduction(std::vector<at::Tensor> parameters, Communicator& communicator,
                std::int64_t shards);

  void add_micro_batch() override;
  void finish() override;
  [[nodiscard]] std::uint64_t collective_hash() const override { return hash_; }
  /// Gradient sets held, in use or free.
  [[nodiscard]] std::size_t sets() const { return subtrees_.size() + free_.size(); }

 private:
  FlatGradients take();
  void combine_ranks(const at::Tensor& flat);

  std::vector<at::Tensor> parameters_;
  Communicator& communicator_;
  std::int64_t leaves_wanted_;
  std::int64_t leaves_ = 0;
  std::vector<FlatGradients> subtrees_;  ///< finished subtrees, older and larger first
  std::vector<FlatGradients> free_;
  std::vector<float> received_;
  std::uint64_t hash_ = 0;
};

/// The levels of the tree above the ranks: afterwards `values` is the sum of all ranks', with the
/// same bits on each. Ranks must be a power of two. Collective.
void combine_in_tree(std::span<float> values, std::vector<float>& scratch,
                     Communicator& communicator);
void combine_in_tree(std::span<double> values, std::vector<double>& scratch,
                     Communicator& communicator);

}  // namespace hepar
