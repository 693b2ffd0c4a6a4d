#include "hepar/train/predictor.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/image/components.h"
#include "hepar/image/orientation.h"
#include "hepar/image/resample.h"

namespace hepar {
namespace {

PreprocessRule rule_of(const Plan& plan) {
  return {.spacing = plan.spacing_mm, .transpose = plan.transpose, .channels = plan.normalization};
}

at::Tensor to_tensor(const PreparedImage& prepared) {
  const SizeVox size = prepared.geometry.size;
  at::Tensor image = at::empty(
      {static_cast<std::int64_t>(prepared.channels.size()), size.z, size.y, size.x}, at::kFloat);
  float* out = image.mutable_data_ptr<float>();
  for (const std::vector<float>& channel : prepared.channels) {
    out = std::copy(channel.begin(), channel.end(), out);
  }
  return image;
}

std::int64_t class_count(const Plan& plan) {
  return static_cast<std::int64_t>(plan.classes.size());
}

at::Tensor mean_logits(const at::Tensor& image, const std::vector<Model>& models,
                       const PredictOptions& options) {
  at::Tensor sum;
  for (const Model& model : models) {
    SlidingWindowOptions window{.patch = model.plan.patch_size,
                                .step = options.step,
                                .mirror_axes = {},
                                .tile_batch = options.tile_batch};
    if (options.mirror) {
      window.mirror_axes = model.mirror_axes;
    }
    const at::Tensor logits = sliding_window(
        image, class_count(model.plan),
        [&](const at::Tensor& tiles) { return model.network->forward(tiles).front(); }, window);
    sum = sum.defined() ? sum.add_(logits) : logits;
  }
  return sum.div_(static_cast<double>(models.size()));
}

SpacingMm transposed_spacing(const PreparedGeometry& geometry) {
  SpacingMm spacing;
  for (int axis = 0; axis < 3; ++axis) {
    spacing[axis] = geometry.canonical.spacing[geometry.transpose[static_cast<std::size_t>(axis)]];
  }
  return spacing;
}

void keep_largest(LabelImage& labels) {
  std::vector<std::uint8_t> foreground(labels.voxels.size());
  std::transform(labels.voxels.begin(), labels.voxels.end(), foreground.begin(),
                 [](std::int16_t v) { return static_cast<std::uint8_t>(v > 0); });
  keep_largest_component(foreground, labels.grid.size);
  for (std::size_t i = 0; i < foreground.size(); ++i) {
    labels.voxels[i] = foreground[i] != 0 ? labels.voxels[i] : std::int16_t{0};
  }
}

}  // namespace

LabelImage predict_case(const std::vector<Image<float>>& channels, const std::vector<Model>& models,
                        const PredictOptions& options, const std::string& where) {
  require(!models.empty(), where + ": no model to predict with");
  require<DataError>(
      !channels.empty() && channels.size() == models.front().plan.normalization.size(),
      where + ": wanted " + std::to_string(models.front().plan.normalization.size()) +
          " channels, found " + std::to_string(channels.size()));
  const Reorientation forward = models.front().orientation == "canonical"
                                    ? to_canonical(channels.front().grid)
                                    : Reorientation{};
  std::vector<Image<float>> turned;
  for (const Image<float>& channel : channels) {
    turned.push_back(reorient(channel, forward));
  }
  const Plan& plan = models.front().plan;
  const PreparedImage prepared = preprocess(turned, nullptr, rule_of(plan), options.threads, where);
  const at::Tensor logits = mean_logits(to_tensor(prepared), models, options);
  const std::optional<int> apart =
      separate_axis(plan.spacing_mm, transposed_spacing(prepared.geometry));
  const std::vector<std::int16_t> cropped =
      export_labels(logits, prepared.geometry.crop.size, apart, options.threads);
  LabelImage labels = restore_labels(cropped, prepared.geometry);
  if (options.largest_component) {
    keep_largest(labels);
  }
  LabelImage answer = reorient(labels, inverse(forward));
  answer.grid =
      channels.front().grid;  // the very numbers of the input, not ones turned there and back
  return answer;
}

}  // namespace hepar
