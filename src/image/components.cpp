#include <hepar/image/components.h>

#include <hepar/core/error.h>

#include <algorithm>
#include <string>

#include <itkConnectedComponentImageFilter.h>
#include "itk_volume.h"

namespace hepar {

Components connected_components(std::span<const std::uint8_t> mask, SizeVox size,
                                Connectivity connectivity) {
  require<ShapeError>(static_cast<std::int64_t>(mask.size()) == count(size),
                      "connected_components: wanted " + std::to_string(count(size)) +
                          " voxels, found " + std::to_string(mask.size()));
  if (mask.empty()) {
    return {};
  }
  using Input = itk::Image<std::uint8_t, 3>;
  using Output = itk::Image<std::uint32_t, 3>;
  auto filter = itk::ConnectedComponentImageFilter<Input, Output>::New();
  filter->SetInput(detail::borrow_as_itk(mask, size, {1, 1, 1}));
  filter->SetFullyConnected(connectivity == Connectivity::kFull26);
  filter->SetNumberOfWorkUnits(1);  // numbering must not depend on threads
  filter->Update();

  const std::uint32_t* labels = filter->GetOutput()->GetBufferPointer();
  Components result;
  result.labels.assign(labels, labels + mask.size());
  result.sizes.resize(filter->GetObjectCount());
  for (const std::uint32_t label : result.labels) {
    if (label != 0) {
      ++result.sizes[label - 1];
    }
  }
  return result;
}

void keep_largest_component(std::span<std::uint8_t> mask, SizeVox size) {
  const Components components = connected_components(mask, size, Connectivity::kFull26);
  if (components.sizes.size() < 2) {
    return;
  }
  const std::int64_t largest = *std::max_element(components.sizes.begin(), components.sizes.end());
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::uint32_t label = components.labels[i];
    if (label != 0 && components.sizes[label - 1] != largest) {
      mask[i] = 0;
    }
  }
}

}  // namespace hepar
