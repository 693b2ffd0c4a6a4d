#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/parallel.h"
#include "hepar/train/predictor.h"

namespace hepar {
namespace {

/// Where an output index reads its input: low and high neighbour and the share of the high one.
struct Tap {
  std::int64_t low = 0, high = 0;
  float share = 0;
};

/// Half-pixel-centred coordinates, edges replicated (image/resample.h).
std::vector<Tap> taps(std::int64_t from, std::int64_t to, bool nearest) {
  std::vector<Tap> all(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  for (std::int64_t i = 0; i < to; ++i) {
    const double limit = static_cast<double>(from - 1);
    const double at = std::clamp(scale * (static_cast<double>(i) + 0.5) - 0.5, 0.0, limit);
    Tap& tap = all[static_cast<std::size_t>(i)];
    if (nearest) {
      tap.low = tap.high = std::min(from - 1, static_cast<std::int64_t>(std::floor(at + 0.5)));
    } else {
      tap.low = static_cast<std::int64_t>(at);
      tap.high = std::min(from - 1, tap.low + 1);
      tap.share = static_cast<float>(at - static_cast<double>(tap.low));
    }
  }
  return all;
}

struct Axes {
  std::vector<Tap> z, y, x;
};

/// One output plane of one class: blends two input planes, then rows, then columns.
class PlaneResampler {
 public:
  PlaneResampler(SizeVox from, SizeVox to, const Axes& axes)
      : from_(from),
        to_(to),
        axes_(axes),
        blended_(static_cast<std::size_t>(from.y * from.x)),
        row_(static_cast<std::size_t>(from.x)) {}

  void resample(const float* volume, std::int64_t z, std::vector<float>& plane) {
    blend_planes(volume, axes_.z[static_cast<std::size_t>(z)]);
    for (std::int64_t y = 0; y < to_.y; ++y) {
      blend_rows(axes_.y[static_cast<std::size_t>(y)]);
      float* out = plane.data() + y * to_.x;
      for (std::int64_t x = 0; x < to_.x; ++x) {
        const Tap& tap = axes_.x[static_cast<std::size_t>(x)];
        const float low = row_[static_cast<std::size_t>(tap.low)];
        out[x] = low + tap.share * (row_[static_cast<std::size_t>(tap.high)] - low);
      }
    }
  }

 private:
  void blend_planes(const float* volume, const Tap& tap) {
    const std::int64_t n = from_.y * from_.x;
    const float* low = volume + tap.low * n;
    const float* high = volume + tap.high * n;
    for (std::int64_t i = 0; i < n; ++i) {
      blended_[static_cast<std::size_t>(i)] = low[i] + tap.share * (high[i] - low[i]);
    }
  }
  void blend_rows(const Tap& tap) {
    const float* low = blended_.data() + tap.low * from_.x;
    const float* high = blended_.data() + tap.high * from_.x;
    for (std::int64_t i = 0; i < from_.x; ++i) {
      row_[static_cast<std::size_t>(i)] = low[i] + tap.share * (high[i] - low[i]);
    }
  }

  SizeVox from_, to_;
  const Axes& axes_;
  std::vector<float> blended_, row_;
};

/// The class of the largest logit of each voxel of a plane, class by class; its softmax probability
/// when asked for.
class TopClass {
 public:
  TopClass(std::size_t voxels, bool with_probability)
      : best_(voxels), sum_(with_probability ? voxels : 0) {}

  void add(const std::vector<float>& plane, std::int16_t label, std::int16_t* out) {
    if (label == 0) {
      best_ = plane;
      std::fill(sum_.begin(), sum_.end(), 1.0F);
      return;
    }
    for (std::size_t i = 0; i < sum_.size(); ++i) {  // Σ exp(logit − largest), as it comes
      const float step = plane[i] - best_[i];
      sum_[i] = step > 0 ? sum_[i] * std::exp(-step) + 1 : sum_[i] + std::exp(step);
    }
    for (std::size_t i = 0; i < plane.size(); ++i) {
      if (plane[i] > best_[i]) {  // ties stay with the lower class, as argmax does
        best_[i] = plane[i];
        out[i] = label;
      }
    }
  }

  void probabilities(float* out) const {
    std::transform(sum_.begin(), sum_.end(), out, [](float sum) { return 1 / sum; });
  }

 private:
  std::vector<float> best_, sum_;
};

/// Regions of a plane, one after another, and how certain the least certain one is.
class RegionPlane {
 public:
  explicit RegionPlane(std::size_t voxels)
      : least_(voxels, std::numeric_limits<float>::infinity()) {}

  void add(const std::vector<float>& plane, const Region& region, std::int16_t* out) {
    for (std::size_t i = 0; i < plane.size(); ++i) {
      least_[i] = std::min(least_[i], std::abs(plane[i]));
      if (plane[i] > 0) {
        out[i] = static_cast<std::int16_t>(region.writes);
      }
    }
  }

  void probabilities(float* out) const {
    std::transform(least_.begin(), least_.end(), out,
                   [](float logit) { return 1 / (1 + std::exp(-logit)); });
  }

 private:
  std::vector<float> least_;
};

Axes axes_of(const at::Tensor& logits, SizeVox cropped, std::optional<int> separate_axis) {
  require<ShapeError>(
      logits.dim() == 4 && logits.scalar_type() == at::kFloat && logits.is_contiguous(),
      "export_labels: wanted contiguous float logits [classes, z, y, x]");
  return {.z = taps(logits.size(1), cropped.z, separate_axis == 0),
          .y = taps(logits.size(2), cropped.y, separate_axis == 1),
          .x = taps(logits.size(3), cropped.x, separate_axis == 2)};
}

SizeVox size_of(const at::Tensor& logits) {
  return {logits.size(1), logits.size(2), logits.size(3)};
}

/// Probabilities of one output plane, added up over configurations.
class MeanPlane {
 public:
  MeanPlane(std::size_t outputs, std::size_t voxels, bool regions)
      : voxels_(voxels), regions_(regions), sum_(outputs, std::vector<float>(voxels)) {
    part_ = sum_;
  }

  /// Where the next configuration's logits of an output go.
  std::vector<float>& output(std::size_t index) { return part_[index]; }

  /// After all outputs of a configuration.
  void add() {
    for (std::size_t i = 0; i < voxels_; ++i) {
      regions_ ? add_sigmoid(i) : add_softmax(i);
    }
    ++parts_;
  }

  /// The most probable class; ties stay with the lower one, as argmax does.
  void label(std::int16_t* out, float* sure) const {
    for (std::size_t i = 0; i < voxels_; ++i) {
      std::size_t best = 0;
      for (std::size_t c = 1; c < sum_.size(); ++c) {
        best = sum_[c][i] > sum_[best][i] ? c : best;
      }
      out[i] = static_cast<std::int16_t>(best);
      if (sure != nullptr) {
        sure[i] = sum_[best][i] / parts_;
      }
    }
  }

  void label(const std::vector<Region>& regions, std::int16_t* out, float* sure) const {
    for (std::size_t i = 0; i < voxels_; ++i) {
      float least = 1;
      for (std::size_t r = 0; r < regions.size(); ++r) {
        const float probability = sum_[r][i] / parts_;
        least = std::min(least, std::max(probability, 1 - probability));
        if (probability > 0.5F) {
          out[i] = static_cast<std::int16_t>(regions[r].writes);
        }
      }
      if (sure != nullptr) {
        sure[i] = least;
      }
    }
  }

 private:
  void add_softmax(std::size_t i) {
    float top = part_[0][i], total = 0;
    for (const std::vector<float>& logits : part_) {
      top = std::max(top, logits[i]);
    }
    for (std::vector<float>& logits : part_) {
      logits[i] = std::exp(logits[i] - top);
      total += logits[i];
    }
    for (std::size_t c = 0; c < sum_.size(); ++c) {
      sum_[c][i] += part_[c][i] / total;
    }
  }
  void add_sigmoid(std::size_t i) {
    for (std::size_t r = 0; r < sum_.size(); ++r) {
      sum_[r][i] += 1 / (1 + std::exp(-part_[r][i]));
    }
  }

  std::size_t voxels_;
  bool regions_;
  float parts_ = 0;
  std::vector<std::vector<float>> sum_, part_;  ///< [output][voxel]
};

}  // namespace

std::vector<std::int16_t> export_labels(const at::Tensor& logits, SizeVox cropped,
                                        std::optional<int> separate_axis, int threads,
                                        const ExportExtras& extras) {
  const Axes axes = axes_of(logits, cropped, separate_axis);
  const SizeVox from = size_of(logits);
  const auto* data = logits.const_data_ptr<float>();
  const std::int64_t classes = logits.size(0), plane_voxels = cropped.y * cropped.x;
  std::vector<std::int16_t> labels(static_cast<std::size_t>(count(cropped)));
  std::vector<float>* confidence = extras.confidence;
  if (confidence != nullptr) {
    confidence->resize(labels.size());
  }
  parallel_for(cropped.z, threads, [&](std::int64_t z) {
    PlaneResampler resampler(from, cropped, axes);
    TopClass top(static_cast<std::size_t>(plane_voxels), confidence != nullptr);
    RegionPlane regions(static_cast<std::size_t>(plane_voxels));
    std::vector<float> plane(static_cast<std::size_t>(plane_voxels));
    std::int16_t* out = labels.data() + z * plane_voxels;
    for (std::int64_t c = 0; c < classes; ++c) {
      resampler.resample(data + c * count(from), z, plane);
      if (extras.regions.empty()) {
        top.add(plane, static_cast<std::int16_t>(c), out);
      } else {
        regions.add(plane, extras.regions[static_cast<std::size_t>(c)], out);
      }
    }
    if (confidence != nullptr) {
      float* sure = confidence->data() + z * plane_voxels;
      extras.regions.empty() ? top.probabilities(sure) : regions.probabilities(sure);
    }
  });
  return labels;
}

std::vector<std::int16_t> export_mean_labels(std::span<const ExportPart> parts, SizeVox cropped,
                                             int threads, const ExportExtras& extras) {
  require(!parts.empty(), "export_mean_labels: nothing to average");
  std::vector<Axes> axes;
  const std::int64_t outputs = parts.front().logits.size(0);
  for (const ExportPart& part : parts) {
    axes.push_back(axes_of(part.logits, cropped, part.separate_axis));
    require<ShapeError>(part.logits.size(0) == outputs,
                        "export_mean_labels: wanted " + std::to_string(outputs) +
                            " outputs of each, found " + std::to_string(part.logits.size(0)));
  }
  const auto plane_voxels = static_cast<std::size_t>(cropped.y * cropped.x);
  std::vector<std::int16_t> labels(static_cast<std::size_t>(count(cropped)));
  if (extras.confidence != nullptr) {
    extras.confidence->resize(labels.size());
  }
  parallel_for(cropped.z, threads, [&](std::int64_t z) {
    MeanPlane mean(static_cast<std::size_t>(outputs), plane_voxels, !extras.regions.empty());
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const SizeVox from = size_of(parts[p].logits);
      PlaneResampler resampler(from, cropped, axes[p]);
      for (std::int64_t c = 0; c < outputs; ++c) {
        resampler.resample(parts[p].logits.const_data_ptr<float>() + c * count(from), z,
                           mean.output(static_cast<std::size_t>(c)));
      }
      mean.add();
    }
    const std::size_t start = static_cast<std::size_t>(z) * plane_voxels;
    float* sure = extras.confidence == nullptr ? nullptr : extras.confidence->data() + start;
    if (extras.regions.empty()) {
      mean.label(labels.data() + start, sure);
    } else {
      mean.label(extras.regions, labels.data() + start, sure);
    }
  });
  return labels;
}

}  // namespace hepar
