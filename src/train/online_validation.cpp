#include "online_validation.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "hepar/data/augmentation.h"
#include "hepar/data/patch_sampler.h"
#include "hepar/nn/regions.h"

namespace hepar {
namespace {

// Keeps the validation patches apart from those that training draws with the same seed.
constexpr std::uint64_t kValidationSeed = 0x5eed0fa11da7e5ULL;

Patch load_patch(const ValidationTask& task, const PatchRequest& request) {
  const Patch patch = task.list.patch(request.case_index, request.box);
  AugmentTask crop{.size = patch.size, .mask_normalised = {}, .keep_ignore = false};
  for (const Normalization& channel : task.plan.normalization) {
    crop.mask_normalised.push_back(channel.kind == NormalizationKind::kZScoreMasked);
  }
  return centre_crop(patch, crop);
}

at::Tensor image_tensor(Patch& patch) {
  return at::from_blob(patch.image.data(),
                       {1, patch.channels, patch.size.z, patch.size.y, patch.size.x}, at::kFloat);
}

/// Adds this patch's true positives, false positives and false negatives of each foreground class.
void add_counts(const at::Tensor& logits, const std::vector<Region>& regions,
                const std::vector<std::int16_t>& labels, std::int64_t ignore_label,
                std::vector<double>& counts) {
  const at::Tensor predicted = decode_labels(logits, regions).to(at::kCPU).contiguous();
  const auto* guess = predicted.const_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t truth = labels[i];
    if (truth == ignore_label) {
      continue;
    }
    if (guess[i] == truth) {
      counts[static_cast<std::size_t>(3 * truth)] += 1;
    } else {
      counts[static_cast<std::size_t>(3 * guess[i] + 1)] += 1;
      counts[static_cast<std::size_t>(3 * truth + 2)] += 1;
    }
  }
}

}  // namespace

std::vector<double> online_validation(SegmentationNetwork& network, const ValidationTask& task,
                                      Communicator& communicator) {
  const std::int64_t patches = task.config.train.validation_patches;
  const PatchSampler sampler(task.list, task.cases,
                             {.seed = task.config.seed ^ kValidationSeed,
                              .global_batch = patches,
                              .patch = task.plan.patch_size,
                              .loader_patch = task.plan.patch_size,
                              .sampling = task.config.sampling,
                              .set_weights = {},
                              .ignore_label = static_cast<int>(task.ignore_label)});
  const at::NoGradGuard no_grad;
  network.eval();
  const std::vector<Region> regions = parse_regions(task.config.data.regions, task.plan.classes);
  const auto classes = task.plan.classes.size();
  std::vector<double> counts(3 * classes, 0.0);
  for (std::int64_t slot = communicator.rank(); slot < patches; slot += communicator.size()) {
    Patch patch = load_patch(task, sampler.at(0, slot));
    const at::Device device = network.parameters().front().device();
    add_counts(network.forward(image_tensor(patch).to(device)).front(), regions, patch.labels,
               task.ignore_label, counts);
  }
  network.train();
  communicator.all_reduce(counts, ReduceOp::kSum);
  std::vector<double> dice;
  for (std::size_t c = 1; c < classes; ++c) {
    const double twice = 2 * counts[3 * c], rest = counts[3 * c + 1] + counts[3 * c + 2];
    dice.push_back(twice + rest > 0 ? twice / (twice + rest) : 0);
  }
  return dice;
}

}  // namespace hepar
