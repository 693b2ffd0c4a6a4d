#pragma once
#include <hepar/data/patch.h>
#include <hepar/io/prepared_set.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace hepar {

/// Several prepared sets seen as one list of cases: those of the first set, then those of the
/// second, … A light view: the sets must outlive it.
class CaseList {
 public:
  CaseList(const PreparedSet& set) : CaseList(std::vector<const PreparedSet*>{&set}) {}
  /// Throws ShapeError when there is no set, ConfigError when they differ in channels.
  explicit CaseList(std::vector<const PreparedSet*> sets);

  [[nodiscard]] std::size_t size() const { return first_.back(); }
  [[nodiscard]] const std::vector<const PreparedSet*>& sets() const { return sets_; }
  /// Which set case `index` belongs to.
  [[nodiscard]] std::size_t set_of(std::size_t index) const;
  [[nodiscard]] const PreparedSet& set(std::size_t index) const { return *sets_[set_of(index)]; }
  [[nodiscard]] const PreparedCase& record(std::size_t index) const;
  [[nodiscard]] int channels() const { return sets_.front()->channels(); }
  /// "SET: case 'ID'"; with one set only the case.
  [[nodiscard]] std::string name(std::size_t index) const;

  /// As PreparedSet::read_patch, an uncut box of `patch.size` from `box.start`.
  void read_patch(std::size_t index, const BoxVox& box, std::span<float> image,
                  std::span<std::int16_t> labels) const;
  /// A patch of its own for the box.
  [[nodiscard]] Patch patch(std::size_t index, const BoxVox& box) const;
  [[nodiscard]] std::span<const OffsetVox> foreground(std::size_t index, int label) const;

 private:
  [[nodiscard]] std::size_t inside(std::size_t index) const {
    return index - first_[set_of(index)];
  }

  std::vector<const PreparedSet*> sets_;
  std::vector<std::size_t> first_;  ///< index of each set's first case, and the end
};

}  // namespace hepar
