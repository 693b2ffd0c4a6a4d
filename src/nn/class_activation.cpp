#include "hepar/nn/class_activation.h"

#include <ATen/Functions.h>

#include "full_precision.h"
#include "hepar/core/error.h"

namespace hepar {

at::Tensor class_activation_maps(const at::Tensor& features, const at::Tensor& weight) {
  require<ShapeError>(
      features.dim() == 5 && weight.dim() == 2 && weight.size(1) == features.size(1),
      "activation maps: wanted features [N, K, d, h, w] and weights [W, K], found " +
          c10::str(features.sizes(), " and ", weight.sizes()));
  const nn::NoAutocast full_precision;
  const at::Tensor voxels = nn::wide(features).flatten(2);  // [N, K, V]; a view, also channels-last
  const at::Tensor rows = nn::wide(weight).unsqueeze(0).expand({features.size(0), -1, -1});
  return at::bmm(rows, voxels)
      .view(
          {features.size(0), weight.size(0), features.size(2), features.size(3), features.size(4)});
}

at::Tensor mask_on_grid(const at::Tensor& mask, at::IntArrayRef grid, const std::string& how) {
  require<ShapeError>(
      mask.dim() == 5 && mask.size(1) == 1 && grid.size() == 3,
      "mask on grid: wanted a mask [N, 1, z, y, x], found " + c10::str(mask.sizes()));
  const at::Tensor values = nn::wide(mask);
  if (how == "nearest") {
    return at::upsample_nearest3d(values, grid);
  }
  require<ConfigError>(how == "soft" || how == "threshold",
                       "csl.mask: wanted soft, threshold or nearest, found '" + how + "'");
  const at::Tensor share = at::adaptive_avg_pool3d(values, grid);
  return how == "soft" ? share : share.ge(0.5).to(share.scalar_type());
}

InsideShare inside_share(const at::Tensor& maps, const at::Tensor& mask) {
  const at::Tensor evidence = nn::wide(maps).clamp_min(0);
  return {(evidence * mask).sum({2, 3, 4}) / evidence.sum({2, 3, 4}), mask.mean({1, 2, 3, 4})};
}

}  // namespace hepar
