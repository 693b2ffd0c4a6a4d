#pragma once
#include <ATen/core/Tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace hepar::nn {

/// float at least: sums over a map in half precision would lose the evidence.
inline at::Tensor wide(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

/// Sum over voxels in float (ATen adds pairwise), over samples in double: [n, c, z, y, x] -> [n,
/// c].
inline at::Tensor voxel_sums(const at::Tensor& x) { return x.sum({2, 3, 4}).to(at::kDouble); }

/// While it lives, autocast narrows nothing in this thread.
class NoAutocast {
 private:
  c10::impl::ExcludeDispatchKeyGuard guard_{c10::autocast_dispatch_keyset};
};

}  // namespace hepar::nn
