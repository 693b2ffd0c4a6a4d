#include "hepar/nn/segmentation_loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "full_precision.h"
#include "hepar/core/error.h"
#include "softmax_terms.h"

namespace hepar {
namespace {

constexpr double kSmallestDenominator = 1e-8;  // nnU-Net's clamp of the Dice denominator

/// Where the sums of one level stand in Terms::sums and its tensors in Terms::graph.
struct Layout {
  std::size_t foreground;  ///< classes without background, or regions
  bool batch_dice;

  // sums: CE numerator, CE denominator, then
  //   batch Dice: Σ p·g, Σ p, Σ g of each foreground class; else Σ Dice, number of Dice values
  [[nodiscard]] std::size_t sums() const { return 2 + (batch_dice ? 3 * foreground : 2); }
  // graph: CE numerator, then Σ p·g and Σ p, or Σ Dice
  [[nodiscard]] std::size_t tensors() const { return batch_dice ? 3 : 2; }
};

Layout layout_of(const SegmentationLoss::Options& options) {
  const std::size_t regions = options.regions.size();
  return {regions > 0 ? regions : static_cast<std::size_t>(options.classes - 1),
          options.batch_dice};
}

/// Soft Dice of one class from its sums, and its derivatives by them.
struct Dice {
  double value, by_overlap, by_prediction;
};
Dice dice_of(double overlap, double prediction, double reference, double smooth) {
  const double numerator = 2 * overlap + smooth;
  const double denominator = reference + prediction + smooth;
  if (denominator <= kSmallestDenominator) {
    return {numerator / kSmallestDenominator, 2 / kSmallestDenominator, 0};
  }
  return {numerator / denominator, 2 / denominator, -numerator / (denominator * denominator)};
}

/// labels [n, z, y, x] at the grid of `size` (z, y, x): voxel i takes the one under its centre.
at::Tensor subsample_nearest_exact(const at::Tensor& labels, at::IntArrayRef size) {
  at::Tensor result = labels;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const std::int64_t from = labels.size(axis + 1);
    const std::int64_t to = size[static_cast<std::size_t>(axis)];
    if (from == to) {
      continue;
    }
    at::Tensor index = at::arange(to, labels.options().dtype(at::kLong));
    index = ((index * 2 + 1) * from).div(2 * to, "floor");
    result = result.index_select(axis + 1, index);
  }
  return result;
}

/// One tensor of all: on a GPU each copy to the host would wait for what was asked of it before.
at::Tensor joined(const std::vector<at::Tensor>& sums) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& values : sums) {
    flat.push_back(values.detach().flatten());
  }
  return at::cat(flat);
}

/// Voxels of each class [n, classes] double, of labels on the CPU.
at::Tensor voxels_of_classes(const at::Tensor& labels, std::int64_t classes) {
  at::Tensor counts = at::zeros({labels.size(0), classes}, at::kDouble);
  auto count = counts.accessor<double, 2>();
  const std::int64_t* label = labels.const_data_ptr<std::int64_t>();
  for (std::int64_t sample = 0; sample < labels.size(0); ++sample) {
    const std::int64_t* end = label + labels[sample].numel();
    for (; label != end; ++label) {
      if (*label >= 0 && *label < classes) {
        count[sample][*label] += 1;
      }
    }
  }
  return counts;
}

void check_shapes(const std::vector<at::Tensor>& logits, const at::Tensor& labels,
                  const SegmentationLoss::Options& options, std::int64_t outputs) {
  require<ShapeError>(logits.size() == options.level_weights.size(),
                      "segmentation loss: wanted logits of " +
                          std::to_string(options.level_weights.size()) + " levels, found " +
                          std::to_string(logits.size()));
  require<ShapeError>(labels.dim() == 4 && labels.scalar_type() == at::kLong,
                      "segmentation loss: wanted labels [n, z, y, x] int64, found " +
                          c10::str(labels.sizes(), " ", labels.scalar_type()));
  for (const at::Tensor& level : logits) {
    require<ShapeError>(
        level.dim() == 5 && level.size(0) == labels.size(0) && level.size(1) == outputs,
        "segmentation loss: wanted logits [" + std::to_string(labels.size(0)) + ", " +
            std::to_string(outputs) + ", z, y, x], found " + c10::str(level.sizes()));
  }
}

/// A label outside the classes would silently count as ignored; on a GPU the check would stall
/// every step.
void check_labels(const at::Tensor& labels, const SegmentationLoss::Options& options) {
  if (!labels.is_cpu() || labels.numel() == 0) {
    return;
  }
  const at::Tensor wrong = labels.ne(options.ignore_label)
                               .logical_and_(labels.lt(0).logical_or_(labels.ge(options.classes)));
  const at::Tensor found = labels.masked_select(wrong);
  if (found.numel() > 0) {
    throw DataError("segmentation loss: wanted labels in [0, " + std::to_string(options.classes) +
                    ") or " + std::to_string(options.ignore_label) + ", found " +
                    std::to_string(found[0].item<std::int64_t>()) +
                    "; check the prepared set's classes");
  }
}

}  // namespace

void SegmentationLossConfig::declare(ConfigSchema& schema) {
  schema.add("dice_weight", dice_weight, "Weight of the soft Dice term", Range{.low = 0});
  schema.add("ce_weight", ce_weight, "Weight of the cross-entropy term", Range{.low = 0});
  schema.add("dice_smooth", dice_smooth, "Added to numerator and denominator of Dice",
             Range{.low = 0});
  schema.add("class_weights", class_weights,
             "Weights of the classes in the cross-entropy, background first; empty: all 1",
             Range{.low = 0});
}

SegmentationLoss::SegmentationLoss(Options options) : options_(std::move(options)) {
  const std::size_t weights = options_.config.class_weights.size();
  require<ConfigError>(
      options_.classes >= 2,
      "segmentation loss: wanted at least 2 classes, found " + std::to_string(options_.classes));
  require<ConfigError>(weights == 0 || weights == static_cast<std::size_t>(outputs()),
                       "class_weights: wanted " + std::to_string(outputs()) + " values, one a " +
                           (options_.regions.empty() ? "class" : "region") + ", found " +
                           std::to_string(weights));
  require<ConfigError>(!options_.level_weights.empty(),
                       "segmentation loss: wanted a weight for each level, found none");
}

SegmentationLoss::Terms SegmentationLoss::forward(const std::vector<at::Tensor>& logits,
                                                  const at::Tensor& labels) const {
  check_shapes(logits, labels, options_, outputs());
  check_labels(labels, options_);
  Terms terms;
  std::vector<at::Tensor> sums;
  for (std::size_t level = 0; level < logits.size(); ++level) {
    if (options_.level_weights[level] != 0) {
      const at::Tensor here = subsample_nearest_exact(labels, logits[level].sizes().slice(2));
      add_level(terms, sums, logits[level], here);
    }
  }
  terms.values = joined(sums);
  return terms;
}

std::vector<double> SegmentationLoss::Terms::sums() const {
  const at::Tensor host = values.to(at::kCPU);
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

std::vector<double> SegmentationLoss::denominators(const std::vector<at::Tensor>& logits,
                                                   const at::Tensor& labels) const {
  require(!options_.batch_dice && labels.is_cpu(),
          "segmentation loss: denominators alone are enough without batch Dice only, and are of "
          "labels on the CPU");
  require<ShapeError>(logits.size() == options_.level_weights.size() && labels.dim() == 4,
                      "segmentation loss: wanted logits of every level and labels [n, z, y, x]");
  std::vector<double> sums;
  for (std::size_t level = 0; level < logits.size(); ++level) {
    if (options_.level_weights[level] != 0) {
      const at::Tensor here =
          subsample_nearest_exact(labels, logits[level].sizes().slice(2)).contiguous();
      const at::Tensor voxels =
          options_.regions.empty()
              ? voxels_of_classes(here, options_.classes)
              : nn::voxel_sums(here.ne(options_.ignore_label).unsqueeze(1).to(at::kFloat));
      const auto dice =
          static_cast<double>(labels.size(0)) * static_cast<double>(layout_of(options_).foreground);
      sums.insert(sums.end(), {0, weighed(voxels).item<double>(), 0, dice});
    }
  }
  return sums;
}

std::int64_t SegmentationLoss::outputs() const {
  return options_.regions.empty() ? options_.classes
                                  : static_cast<std::int64_t>(options_.regions.size());
}

/// Σ of values [n, outputs, or 1] times the weights of the outputs.
at::Tensor SegmentationLoss::weighed(const at::Tensor& values) const {
  const at::Tensor weights = options_.config.class_weights.empty()
                                 ? at::ones({outputs()}, values.options())
                                 : at::tensor(options_.config.class_weights, values.options());
  return (values * weights).sum();
}

/// What one level gives: the cross-entropy's numerator and denominator, and what Dice is made of,
/// [n, classes without background, or regions].
struct SegmentationLoss::LevelSums {
  at::Tensor nll, weight;
  at::Tensor overlap, prediction, size;
};

SegmentationLoss::LevelSums SegmentationLoss::class_sums(const at::Tensor& logits,
                                                         const at::Tensor& labels) const {
  const nn::SoftmaxTerms terms = nn::softmax_terms(logits, labels);
  const std::int64_t foreground = options_.classes - 1;
  return {.nll = weighed(terms.nll),
          .weight = weighed(terms.voxels),
          .overlap = terms.overlap.narrow(1, 1, foreground),
          .prediction = terms.prediction.narrow(1, 1, foreground),
          .size = terms.voxels.narrow(1, 1, foreground)};
}

SegmentationLoss::LevelSums SegmentationLoss::region_sums(const at::Tensor& logits,
                                                          const at::Tensor& labels) const {
  const at::Tensor x = logits.to(at::kFloat);
  const at::Tensor g = region_targets(labels, options_.regions, x);
  const at::Tensor counted = labels.ne(options_.ignore_label).unsqueeze(1).to(x.scalar_type());
  const at::Tensor voxels = nn::voxel_sums(counted);  // [n, 1]
  // −g·log p − (1 − g)·log(1 − p) without overflow, and smooth at 0
  const at::Tensor bce = x * (1 - g) - at::log_sigmoid(x);
  const at::Tensor p = at::sigmoid(x);
  return {.nll = weighed(nn::voxel_sums(bce * counted)),
          .weight = weighed(voxels),
          .overlap = nn::voxel_sums(p * g),
          .prediction = nn::voxel_sums(p * counted),
          .size = nn::voxel_sums(g)};
}

void SegmentationLoss::add_level(Terms& terms, std::vector<at::Tensor>& sums,
                                 const at::Tensor& logits, const at::Tensor& labels) const {
  const LevelSums level =
      options_.regions.empty() ? class_sums(logits, labels) : region_sums(logits, labels);
  terms.graph.push_back(level.nll);
  sums.insert(sums.end(), {level.nll, level.weight});
  if (options_.batch_dice) {
    terms.graph.push_back(level.overlap.sum(0));
    terms.graph.push_back(level.prediction.sum(0));
    sums.insert(sums.end(), {terms.graph.end()[-2], terms.graph.back(), level.size.sum(0)});
    return;
  }
  const double smooth = options_.config.dice_smooth;
  const at::Tensor dice = (2 * level.overlap + smooth) /
                          (level.size + level.prediction + smooth).clamp_min(kSmallestDenominator);
  terms.graph.push_back(dice.sum());
  sums.insert(sums.end(), {terms.graph.back(), at::full({}, dice.numel(), dice.options())});
}

at::Tensor SegmentationLoss::surrogate(const Terms& terms,
                                       const std::vector<double>& totals) const {
  const Layout layout = layout_of(options_);
  const double* sums = totals.data();
  const at::Tensor* graph = terms.graph.data();
  at::Tensor result = at::zeros({}, terms.graph.front().options());
  for (const double weight : options_.level_weights) {
    if (weight == 0) {
      continue;
    }
    if (sums[1] > 0) {
      result = result + graph[0] * (weight * options_.config.ce_weight / sums[1]);
    }
    const double dice_weight = -weight * options_.config.dice_weight;
    if (!layout.batch_dice) {
      result = result + graph[1] * (dice_weight / std::max(sums[3], 1.0));
    } else {
      result = result + dice_weight * batch_dice_surrogate(graph + 1, sums + 2);
    }
    sums += layout.sums();
    graph += layout.tensors();
  }
  return result;
}

at::Tensor SegmentationLoss::batch_dice_surrogate(const at::Tensor* graph,
                                                  const double* totals) const {
  // Dice depends on global sums S = Σ local; its gradient is dDice/dS, a number once S is known,
  // times the gradient of the local sums.
  const std::size_t classes = layout_of(options_).foreground;
  std::vector<double> by_overlap(classes), by_prediction(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    const Dice dice = dice_of(totals[c], totals[classes + c], totals[2 * classes + c],
                              options_.config.dice_smooth);
    by_overlap[c] = dice.by_overlap / static_cast<double>(classes);
    by_prediction[c] = dice.by_prediction / static_cast<double>(classes);
  }
  return (graph[0] * at::tensor(by_overlap, graph[0].options())).sum() +
         (graph[1] * at::tensor(by_prediction, graph[1].options())).sum();
}

SegmentationLoss::Value SegmentationLoss::value(const std::vector<double>& totals) const {
  const Layout layout = layout_of(options_);
  Value value;
  const double* sums = totals.data();
  for (const double weight : options_.level_weights) {
    if (weight == 0) {
      continue;
    }
    value.cross_entropy += sums[1] > 0 ? weight * sums[0] / sums[1] : 0;
    double dice = 0;
    if (layout.batch_dice) {
      for (std::size_t c = 0; c < layout.foreground; ++c) {
        dice += dice_of(sums[2 + c], sums[2 + layout.foreground + c],
                        sums[2 + 2 * layout.foreground + c], options_.config.dice_smooth)
                    .value /
                static_cast<double>(layout.foreground);
      }
    } else {
      dice = sums[2] / std::max(sums[3], 1.0);
    }
    value.dice_loss -= weight * dice;
    sums += layout.sums();
  }
  value.loss = options_.config.ce_weight * value.cross_entropy +
               options_.config.dice_weight * value.dice_loss;
  return value;
}

std::vector<double> deep_supervision_weights(std::size_t levels) {
  if (levels <= 1) {
    return std::vector<double>(levels, 1.0);
  }
  std::vector<double> weights(levels, 0.0);
  double sum = 0;
  for (std::size_t level = 0; level + 1 < levels; ++level) {
    weights[level] = std::ldexp(1.0, -static_cast<int>(level));
    sum += weights[level];
  }
  for (double& weight : weights) {
    weight /= sum;
  }
  return weights;
}

}  // namespace hepar
