#include "hepar/data/patch_sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/random.h"

namespace hepar {

namespace {

/// Where a patch may start along one axis, both ends included.
struct Starts {
  std::int64_t low;
  std::int64_t high;
};

/// nnU-Net's bounds: the case is thought padded by loader − final patch, more when it is smaller
/// than the patch; the odd voxel goes to both ends.
Starts start_bounds(std::int64_t size, std::int64_t loader, std::int64_t patch) {
  const std::int64_t padding = std::max(loader - patch, loader - size);
  const std::int64_t half_up = (padding + 1) / 2;
  return {-half_up, size + half_up - loader};
}

std::vector<int> foreground_labels(const PreparedCase& record) {
  std::vector<int> labels;
  for (const auto& [label, voxels] : record.label_counts) {
    if (label > 0 && voxels > 0) {
      labels.push_back(label);
    }
  }
  return labels;
}

void check_options(const PatchSampler::Options& options) {
  constexpr std::int64_t kMostSlots = 1 << 24;  // that a random stream can tell apart
  require<ConfigError>(options.global_batch >= 1 && options.global_batch <= kMostSlots,
                       "train.global_batch: wanted 1 to " + std::to_string(kMostSlots) +
                           ", found " + std::to_string(options.global_batch));
  for (int axis = 0; axis < 3; ++axis) {
    require<ConfigError>(
        options.patch[axis] >= 1 && options.loader_patch[axis] >= options.patch[axis],
        "patch size: wanted 1 <= patch <= loaded patch on axis " + std::to_string(axis) +
            ", found " + std::to_string(options.patch[axis]) + " and " +
            std::to_string(options.loader_patch[axis]));
  }
  check_range("sampling.foreground_fraction", options.sampling.foreground_fraction,
              {.low = 0, .high = 1});
}

}  // namespace

void SamplingConfig::declare(ConfigSchema& schema) {
  schema.add("foreground_fraction", foreground_fraction,
             "Share of the global batch whose patches are centred on a foreground voxel",
             Range{.low = 0, .high = 1});
}

PatchSampler::PatchSampler(const PreparedSet& set, std::vector<std::size_t> case_indices,
                           Options options)
    : set_(set), case_indices_(std::move(case_indices)), options_(options) {
  const std::string where = set.folder().string();
  check_options(options_);
  require<ConfigError>(!case_indices_.empty(),
                       where + ": no case to draw patches from; check data.select and data.fold");
  for (const std::size_t index : case_indices_) {
    require<ShapeError>(
        index < set.cases().size(),
        where + ": case " + std::to_string(index) + " of " + std::to_string(set.cases().size()));
    // Its patches would be all −1, which augmentation turns into background.
    require<ConfigError>(set.cases()[index].has_labels,
                         where + ": case '" + set.cases()[index].id +
                             "' has no labels to train on; leave it out with data.select");
  }
}

PatchRequest PatchSampler::at(std::int64_t step, std::int64_t slot) const {
  require<ShapeError>(step >= 0 && slot >= 0 && slot < options_.global_batch,
                      "PatchSampler: step " + std::to_string(step) + ", slot " +
                          std::to_string(slot) + " of a global batch of " +
                          std::to_string(options_.global_batch));
  RandomStream random({options_.seed, Purpose::kSampling, static_cast<std::uint64_t>(step),
                       static_cast<std::uint32_t>(slot)});
  PatchRequest request;
  request.case_index = case_indices_[static_cast<std::size_t>(
      random.integer(static_cast<std::int64_t>(case_indices_.size())))];
  const PreparedCase& record = set_.cases()[request.case_index];
  // nearbyint rounds halves to even, as Python's round does.
  const double unforced =
      static_cast<double>(options_.global_batch) * (1 - options_.sampling.foreground_fraction);
  request.forced_foreground = slot >= static_cast<std::int64_t>(std::nearbyint(unforced));
  request.box.size = options_.loader_patch;

  const std::vector<int> labels = foreground_labels(record);
  const bool centred = request.forced_foreground && !labels.empty();
  OffsetVox centre;
  if (centred) {
    const auto n = static_cast<std::int64_t>(labels.size());
    const int label = labels[static_cast<std::size_t>(random.integer(n))];
    const std::span<const OffsetVox> voxels = set_.foreground(request.case_index, label);
    centre =
        voxels[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(voxels.size())))];
  }
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t loader = options_.loader_patch[axis];
    const Starts starts = start_bounds(record.size[axis], loader, options_.patch[axis]);
    // Only the lower bound holds a centred patch back: beyond the far end it is padded.
    request.box.start[axis] = centred ? std::max(starts.low, centre[axis] - loader / 2)
                                      : starts.low + random.integer(starts.high - starts.low + 1);
  }
  return request;
}

}  // namespace hepar
