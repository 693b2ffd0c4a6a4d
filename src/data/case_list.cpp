#include "hepar/data/case_list.h"

#include <algorithm>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {

CaseList::CaseList(std::vector<const PreparedSet*> sets) : sets_(std::move(sets)), first_{0} {
  require<ShapeError>(!sets_.empty(), "CaseList: wanted at least one prepared set");
  for (const PreparedSet* set : sets_) {
    require<ConfigError>(set->channels() == channels(),
                         set->folder().string() + ": wanted " + std::to_string(channels()) +
                             " channels as in " + sets_.front()->folder().string() + ", found " +
                             std::to_string(set->channels()));
    first_.push_back(first_.back() + set->cases().size());
  }
}

std::size_t CaseList::set_of(std::size_t index) const {
  require<ShapeError>(index < size(), sets_.front()->folder().string() + ": case " +
                                          std::to_string(index) + " of " + std::to_string(size()));
  const auto next = std::upper_bound(first_.begin(), first_.end(), index);
  return static_cast<std::size_t>(next - first_.begin()) - 1;
}

const PreparedCase& CaseList::record(std::size_t index) const {
  return set(index).cases()[inside(index)];
}

std::string CaseList::name(std::size_t index) const {
  const std::string name = "case '" + record(index).id + "'";
  return sets_.size() == 1 ? name : set(index).folder().string() + ": " + name;
}

void CaseList::read_patch(std::size_t index, const BoxVox& box, std::span<float> image,
                          std::span<std::int16_t> labels) const {
  set(index).read_patch(inside(index), box, image, labels);
}

Patch CaseList::patch(std::size_t index, const BoxVox& box) const {
  Patch patch;
  patch.channels = channels();
  patch.size = box.size;
  const auto voxels = static_cast<std::size_t>(count(box.size));
  patch.image.resize(voxels * static_cast<std::size_t>(patch.channels));
  patch.labels.resize(voxels);
  read_patch(index, box, patch.image, patch.labels);
  return patch;
}

std::span<const OffsetVox> CaseList::foreground(std::size_t index, int label) const {
  return set(index).foreground(inside(index), label);
}

}  // namespace hepar
