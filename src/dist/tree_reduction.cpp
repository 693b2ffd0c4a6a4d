#include "tree_reduction.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr std::size_t kSegmentBytes = std::size_t{1} << 20;
constexpr int kTreeTag = 100;

template <class T>
void combine(std::span<T> values, std::vector<T>& scratch, Communicator& communicator) {
  if (communicator.size() == 1) {
    return;
  }
  communicator.barrier();  // the messages below carry no signature: a rank gone astray shows here
  constexpr std::size_t kStep = kSegmentBytes / sizeof(T);
  scratch.resize(std::min(kStep, values.size()));
  for (int distance = 1; distance < communicator.size(); distance *= 2) {
    const int peer = communicator.rank() ^ distance;
    // Received and added piece by piece, while the piece is in the cache. Both partners add the
    // same two numbers, and addition commutes, so both hold the bits of left + right.
    for (std::size_t at = 0; at < values.size(); at += kStep) {
      const std::span<T> mine = values.subspan(at, std::min(kStep, values.size() - at));
      const std::span<T> theirs = std::span<T>(scratch).first(mine.size());
      communicator.exchange(std::span<const T>(mine), theirs, peer, kTreeTag);
      for (std::size_t i = 0; i < mine.size(); ++i) {
        mine[i] += theirs[i];
      }
    }
  }
}

std::span<float> span_of(const at::Tensor& flat) {
  return {flat.data_ptr<float>(), static_cast<std::size_t>(flat.numel())};
}

}  // namespace

void combine_in_tree(std::span<float> values, std::vector<float>& scratch,
                     Communicator& communicator) {
  combine(values, scratch, communicator);
}

void combine_in_tree(std::span<double> values, std::vector<double>& scratch,
                     Communicator& communicator) {
  combine(values, scratch, communicator);
}

TreeReduction::TreeReduction(std::vector<at::Tensor> parameters, Communicator& communicator,
                             std::int64_t shards)
    : parameters_(std::move(parameters)),
      communicator_(communicator),
      leaves_wanted_(shards / communicator.size()) {}

FlatGradients TreeReduction::take() {
  if (free_.empty()) {
    return allocate_gradients(parameters_);
  }
  FlatGradients set = std::move(free_.back());
  free_.pop_back();
  return set;
}

void TreeReduction::add_micro_batch() {
  require<ShapeError>(leaves_ < leaves_wanted_,
                      "gradient tree: rank " + std::to_string(communicator_.rank()) + " of " +
                          std::to_string(communicator_.size()) + " added more than its " +
                          std::to_string(leaves_wanted_) + " micro-batches");
  if (leaves_ % 2 == 0) {
    FlatGradients leaf = take();
    copy_gradients(parameters_, leaf);
    subtrees_.push_back(std::move(leaf));
  } else {
    add_gradients(parameters_, subtrees_.back());
  }
  clear_gradients(parameters_);
  ++leaves_;
  // The carries above the first: each joins two subtrees of equal size, the older one on the left.
  for (std::int64_t n = leaves_; n % 4 == 0; n /= 2) {
    FlatGradients right = std::move(subtrees_.back());
    subtrees_.pop_back();
    subtrees_.back().flat.add_(right.flat);
    free_.push_back(std::move(right));
  }
}

void TreeReduction::combine_ranks(const at::Tensor& flat) {
  if (flat.is_cpu() || communicator_.size() == 1) {
    combine_in_tree(span_of(flat), received_, communicator_);
    return;
  }
  const at::Tensor host =
      at::empty(flat.sizes(), at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
  host.copy_(flat);
  combine_in_tree(span_of(host), received_, communicator_);
  flat.copy_(host);
}

void TreeReduction::finish() {
  require<ShapeError>(leaves_ == leaves_wanted_,
                      "gradient tree: rank " + std::to_string(communicator_.rank()) + " of " +
                          std::to_string(communicator_.size()) + " added " +
                          std::to_string(leaves_) + " micro-batches, wanted " +
                          std::to_string(leaves_wanted_) + " (dist.shards / ranks)");
  FlatGradients sum = std::move(subtrees_.back());
  subtrees_.clear();
  leaves_ = 0;
  combine_ranks(sum.flat);
  hash_ = mix_hash(hash_, static_cast<std::uint64_t>(sum.flat.numel()));
  publish_gradients(parameters_, sum);
  free_.push_back(
      std::move(sum));  // reused by the next step, whose first backward follows the optimizer
}

}  // namespace hepar
