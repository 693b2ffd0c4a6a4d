#include "hepar/nn/regions.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar {

std::vector<Region> parse_regions(const std::vector<std::string>& texts,
                                  const std::vector<std::string>& classes) {
  std::vector<Region> regions;
  for (const std::string& text : texts) {
    Region region;
    for (const std::string& name : split(text, '+')) {
      const auto found = std::find(classes.begin() + 1, classes.end(), name);
      require<ConfigError>(found != classes.end(),
                           "data.regions: '" + text + "': wanted a sum of " +
                               join({classes.begin() + 1, classes.end()}, ", ") + ", found '" +
                               name + "'");
      region.labels.push_back(found - classes.begin());
    }
    region.writes = region.labels.front();
    regions.push_back(std::move(region));
  }
  return regions;
}

at::Tensor region_targets(const at::Tensor& labels, const std::vector<Region>& regions,
                          const at::Tensor& like) {
  std::vector<at::Tensor> channels;
  for (const Region& region : regions) {
    at::Tensor inside = labels.eq(region.labels.front());
    for (const std::int64_t label : region.labels) {
      inside = inside.logical_or(labels.eq(label));
    }
    channels.push_back(inside);
  }
  return at::stack(channels, 1).to(like.scalar_type());
}

at::Tensor decode_labels(const at::Tensor& logits, const std::vector<Region>& regions) {
  if (regions.empty()) {
    return at::argmax(logits, 1);
  }
  at::Tensor labels = at::zeros_like(logits.select(1, 0), at::kLong);
  for (std::size_t r = 0; r < regions.size(); ++r) {
    labels.masked_fill_(logits.select(1, static_cast<std::int64_t>(r)).gt(0), regions[r].writes);
  }
  return labels;
}

}  // namespace hepar
