#include "fast_reduction.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <string>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr std::int64_t kFirstBucketBytes = std::int64_t{1} << 20;
constexpr std::int64_t kBucketBytes = std::int64_t{25} << 20;

}  // namespace

/// Runs when a parameter's .grad is complete, on the thread of the backward pass.
class FastReduction::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(FastReduction& owner, std::size_t bucket) : owner_(owner), bucket_(bucket) {}
  void operator()(const at::Tensor& /*parameter*/) override { owner_.gradient_arrived(bucket_); }

 private:
  FastReduction& owner_;
  std::size_t bucket_;
};

std::vector<std::vector<std::size_t>> plan_buckets(const std::vector<at::Tensor>& parameters) {
  std::vector<std::vector<std::size_t>> buckets;
  std::int64_t bytes = 0;
  for (std::size_t i = parameters.size(); i-- > 0;) {
    const auto size = static_cast<std::int64_t>(parameters[i].nbytes());
    const std::int64_t limit = buckets.size() <= 1 ? kFirstBucketBytes : kBucketBytes;
    if (buckets.empty() || bytes + size > limit) {
      buckets.emplace_back();
      bytes = 0;
    }
    buckets.back().push_back(i);
    bytes += size;
  }
  return buckets;
}

FastReduction::FastReduction(std::vector<at::Tensor> parameters,
                             std::unique_ptr<BucketTransport> transport)
    : parameters_(std::move(parameters)), transport_(std::move(transport)) {
  if (transport_ == nullptr) {
    return;
  }
  for (const std::vector<std::size_t>& indices : plan_buckets(parameters_)) {
    Bucket bucket;
    for (const std::size_t i : indices) {
      bucket.parameters.push_back(parameters_[i]);
    }
    bucket.sums = allocate_gradients(bucket.parameters);
    buckets_.push_back(std::move(bucket));
  }
  if (transport_->starts_early()) {
    install_hooks();
  }
}

FastReduction::~FastReduction() {
  if (hooked_) {
    for (const at::Tensor& p : parameters_) {
      torch::autograd::impl::set_post_acc_grad_hooks(p, nullptr);
    }
  }
}

void FastReduction::install_hooks() {
  for (const at::Tensor& p : parameters_) {
    require(torch::autograd::impl::post_acc_grad_hooks(p) == nullptr,
            "gradient reducer: a parameter already has a gradient hook (another reducer?)");
  }
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    for (const at::Tensor& p : buckets_[b].parameters) {
      torch::autograd::impl::set_post_acc_grad_hooks(p, std::make_unique<Hook>(*this, b));
    }
  }
  hooked_ = true;
}

void FastReduction::overlap_next_backward() {
  for (Bucket& bucket : buckets_) {
    bucket.missing = bucket.parameters.size();
  }
  overlapping_ = hooked_;
}

void FastReduction::gradient_arrived(std::size_t bucket) {
  if (!overlapping_) {
    return;
  }
  require(
      buckets_[bucket].missing > 0,
      "gradient reducer: a second backward pass after overlap_next_backward(), which goes before "
      "the last one of a step; its gradients would come too late");
  --buckets_[bucket].missing;
  while (started_ < buckets_.size() && buckets_[started_].missing == 0) {
    start_next_bucket();
  }
}

void FastReduction::start_next_bucket() {
  Bucket& bucket = buckets_[started_];
  copy_gradients(bucket.parameters, bucket.sums);
  transport_->start(bucket.sums.flat);
  hash_ = mix_hash(hash_, static_cast<std::uint64_t>(bucket.sums.flat.numel()) + started_);
  ++started_;
}

void FastReduction::finish() {
  overlapping_ = false;
  if (transport_ == nullptr) {
    for (const at::Tensor& p : parameters_) {
      if (!p.grad().defined()) {
        p.mutable_grad() = at::zeros_like(p);
      }
    }
    return;
  }
  // What no hook started: everything without overlap, and buckets with a gradient that never came.
  while (started_ < buckets_.size()) {
    start_next_bucket();
  }
  started_ = 0;
  transport_->finish();
  for (const Bucket& bucket : buckets_) {
    publish_gradients(bucket.parameters, bucket.sums);
  }
}

}  // namespace hepar
