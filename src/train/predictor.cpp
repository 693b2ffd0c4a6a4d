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

std::int64_t output_count(const Model& model) {
  return static_cast<std::int64_t>(model.regions.empty() ? model.plan.classes.size()
                                                         : model.regions.size());
}

at::Tensor mean_logits(const at::Tensor& image, const std::vector<Model>& models,
                       const PredictOptions& options) {
  at::Tensor sum;
  for (const Model& model : models) {
    SlidingWindowOptions window{.patch = model.plan.patch_size,
                                .step = options.step,
                                .mirror_axes = {},
                                .tile_batch = options.tile_batch,
                                .sharing = options.sharing};
    if (options.mirror) {
      window.mirror_axes = model.mirror_axes;
    }
    const at::Tensor logits = sliding_window(
        image, output_count(model),
        [&](const at::Tensor& tiles) { return model.network->forward(tiles).front(); }, window);
    if (logits.defined()) {
      sum = sum.defined() ? sum.add_(logits) : logits;
    }
  }
  return sum.defined() ? sum.div_(static_cast<double>(models.size())) : sum;
}

SpacingMm transposed_spacing(const PreparedGeometry& geometry) {
  SpacingMm spacing;
  for (int axis = 0; axis < 3; ++axis) {
    spacing[axis] = geometry.canonical.spacing[geometry.transpose[static_cast<std::size_t>(axis)]];
  }
  return spacing;
}

void keep_largest(LabelImage& labels, const PredictOptions& options) {
  const bool ignores = options.ignore_below > 0;
  std::vector<std::uint8_t> foreground(labels.voxels.size());
  std::transform(
      labels.voxels.begin(), labels.voxels.end(), foreground.begin(), [&](std::int16_t v) {
        return static_cast<std::uint8_t>(v > 0 && !(ignores && v == options.ignore_label));
      });
  std::vector<std::uint8_t> kept = foreground;
  keep_largest_component(kept, labels.grid.size);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    labels.voxels[i] = foreground[i] != kept[i] ? std::int16_t{0} : labels.voxels[i];
  }
}

/// Mean confidence over the foreground, then doubtful voxels become ignored.
void judge(std::vector<std::int16_t>& labels, const std::vector<float>& confidence,
           const PredictOptions& options, Prediction& answer) {
  double sum = 0;
  std::int64_t foreground = 0;
  for (std::size_t i = 0; i < confidence.size(); ++i) {
    if (labels[i] > 0) {
      sum += static_cast<double>(confidence[i]);
      ++foreground;
    }
    if (static_cast<double>(confidence[i]) < options.ignore_below) {
      labels[i] = options.ignore_label;
      ++answer.ignored;
    }
  }
  answer.confidence = foreground > 0 ? sum / static_cast<double>(foreground) : 0;
}

std::vector<std::int16_t> cropped_labels(std::span<const ConfigurationLogits> configurations,
                                         const PredictOptions& options,
                                         const ExportExtras& extras) {
  const NetworkInput& input = configurations.front().input;
  const SizeVox size = input.geometry.crop.size;
  if (configurations.size() == 1) {  // the largest logit needs no probabilities
    return export_labels(configurations.front().logits, size, input.separate_axis, options.threads,
                         extras);
  }
  std::vector<ExportPart> parts;
  for (const ConfigurationLogits& one : configurations) {
    require<DataError>(one.input.geometry.crop.size == size && one.input.turned == input.turned &&
                           one.input.geometry.transpose == input.geometry.transpose,
                       input.where + ": the configurations crop or turn this case differently");
    parts.push_back({one.logits, one.input.separate_axis});
  }
  return export_mean_labels(parts, size, options.threads, extras);
}

}  // namespace

NetworkInput prepare_input(const std::vector<Image<float>>& channels, const Model& model,
                           int threads, const std::string& where) {
  const Plan& plan = model.plan;
  require<DataError>(!channels.empty() && channels.size() == plan.normalization.size(),
                     where + ": wanted " + std::to_string(plan.normalization.size()) +
                         " channels, found " + std::to_string(channels.size()));
  NetworkInput input;
  input.where = where;
  input.grid = channels.front().grid;
  input.turned = model.orientation == "canonical" ? to_canonical(input.grid) : Reorientation{};
  std::vector<Image<float>> turned;
  for (const Image<float>& channel : channels) {
    turned.push_back(reorient(channel, input.turned));
  }
  const PreparedImage prepared = preprocess(turned, nullptr, rule_of(plan), threads, where);
  input.geometry = prepared.geometry;
  input.image = to_tensor(prepared);
  input.regions = parse_regions(model.regions, plan.classes);
  input.separate_axis = separate_axis(plan.spacing_mm, transposed_spacing(prepared.geometry));
  return input;
}

at::Tensor predict_logits(const NetworkInput& input, const std::vector<Model>& models,
                          const PredictOptions& options) {
  require(!models.empty(), input.where + ": no model to predict with");
  const at::Tensor logits = mean_logits(input.image.to(options.compute.device), models, options);
  return logits.defined() ? logits.cpu() : logits;
}

Prediction finish_prediction(const NetworkInput& input, const at::Tensor& logits,
                             const PredictOptions& options, bool with_confidence) {
  return finish_ensemble(std::vector<ConfigurationLogits>{{input, logits}}, options,
                         with_confidence);
}

Prediction finish_ensemble(std::span<const ConfigurationLogits> configurations,
                           const PredictOptions& options, bool with_confidence) {
  require(!configurations.empty(), "finish_ensemble: no configuration");
  const NetworkInput& input = configurations.front().input;
  Prediction answer;
  std::vector<float> confidence;
  const bool judged = with_confidence || options.ignore_below > 0;
  std::vector<std::int16_t> cropped =
      cropped_labels(configurations, options,
                     {.confidence = judged ? &confidence : nullptr, .regions = input.regions});
  if (judged) {
    judge(cropped, confidence, options, answer);
  }
  LabelImage labels = restore_labels(cropped, input.geometry);
  if (options.largest_component) {
    keep_largest(labels, options);
  }
  const bool ignores = options.ignore_below > 0;
  answer.foreground = std::count_if(
      labels.voxels.begin(), labels.voxels.end(),
      [&](std::int16_t v) { return v > 0 && !(ignores && v == options.ignore_label); });
  answer.labels = reorient(labels, inverse(input.turned));
  answer.labels.grid = input.grid;  // the very numbers of the input, not ones turned there and back
  return answer;
}

LabelImage predict_case(const std::vector<Image<float>>& channels, const std::vector<Model>& models,
                        const PredictOptions& options, const std::string& where) {
  require(!models.empty(), where + ": no model to predict with");
  const NetworkInput input = prepare_input(channels, models.front(), options.threads, where);
  return finish_prediction(input, predict_logits(input, models, options), options).labels;
}

}  // namespace hepar
