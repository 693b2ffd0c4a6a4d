#include "hepar/nn/resnet.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>
#include <map>

#include "convolution.h"
#include "fused_norm.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "residual_norm.h"
#include "weight_init.h"

namespace hepar {
namespace {

constexpr double kLeastFeatureSd = 1e-4;  // a feature that never differs stays as it is: about 0
// Added to each variance of the features' correlation, in their number: directions that hold less
// of it are mostly chance.
constexpr double kWhiteningRidge = 1e-3;

struct StageShape {
  std::int64_t widths;  ///< in stem widths
  std::int64_t blocks, stride, dilation;
};

/// One published network.
struct Geometry {
  const char* name;
  bool pool;             ///< max-pool of stride 2 behind the stem
  bool relu_after_add;   ///< else one ReLU behind each stage only
  const char* norm;      ///< its own
  const char* shortcut;  ///< its own
  std::vector<StageShape> stages;
};

/// The table of backbones. Each starts with a 7×7×7 convolution of stride 2. Sources: staging.md §0
/// (the challenge winner's network), §3 (MedicalNet, Chen et al. 2019, which dilates the last two
/// stages for segmentation; and the plain one of Hara et al., CVPR 2018, which MONAI follows).
const std::vector<Geometry>& geometries() {
  static const std::vector<Geometry> kTable{
      {"imr_r34gn", false, false, "group", "b", {{1, 4, 2, 1}, {2, 6, 1, 2}, {4, 3, 1, 4}}},
      {"r34", true, true, "batch", "a", {{1, 3, 1, 1}, {2, 4, 2, 1}, {4, 6, 1, 2}, {8, 3, 1, 4}}},
      {"r34_strided",
       true,
       true,
       "batch",
       "b",
       {{1, 3, 1, 1}, {2, 4, 2, 1}, {4, 6, 2, 1}, {8, 3, 2, 1}}}};
  return kTable;
}

const Geometry& geometry_of(const std::string& name) {
  for (const Geometry& row : geometries()) {
    if (name == row.name) {
      return row;
    }
  }
  throw ConfigError("backbone.name: wanted one of " + join(backbone_names(), ", ") + ", found '" +
                    name + "'");
}

torch::nn::Conv3d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                              const StageShape& how) {
  return nn::undrawn(torch::nn::Conv3dOptions(in, out, kernel)
                         .stride(how.stride)
                         .dilation(how.dilation)
                         .padding(kernel / 2 * how.dilation)
                         .bias(false));
}

struct BlockShape {
  std::int64_t in, out;
  StageShape stage;  ///< stride and dilation
  bool relu_after_add, batch_norm, projects, detached;
};

/// Shortcut B: 1×1×1 convolution and norm.
struct ProjectionImpl : torch::nn::Module {
  explicit ProjectionImpl(const BlockShape& shape) {
    conv =
        register_module("conv", convolution(shape.in, shape.out, 1, {1, 1, shape.stage.stride, 1}));
    norm = register_module("norm", nn::ResidualNorm(shape.out, shape.batch_norm));
  }
  at::Tensor forward(const at::Tensor& x) {
    return norm->forward(nn::convolve(*conv, x), nn::kLinear);
  }

  torch::nn::Conv3d conv{nullptr};
  nn::ResidualNorm norm{nullptr};
};
TORCH_MODULE(Projection);

/// Two dilated 3×3×3 convolutions beside a shortcut.
struct BasicBlockImpl : torch::nn::Module {
  explicit BasicBlockImpl(const BlockShape& block) : shape(block) {
    conv1 = register_module("conv1", convolution(shape.in, shape.out, 3, shape.stage));
    norm1 = register_module("norm1", nn::ResidualNorm(shape.out, shape.batch_norm));
    StageShape second = shape.stage;
    second.stride = 1;
    conv2 = register_module("conv2", convolution(shape.out, shape.out, 3, second));
    norm2 = register_module("norm2", nn::ResidualNorm(shape.out, shape.batch_norm));
    if (changes() && shape.projects) {
      projection = register_module("shortcut", Projection(shape));
    }
  }

  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor y = norm1->forward(nn::convolve(*conv1, x), nn::kRelu);
    const at::Tensor sum = norm2->forward(nn::convolve(*conv2, y), nn::kLinear) + shortcut(x);
    return shape.relu_after_add ? at::relu(sum) : sum;
  }

  [[nodiscard]] bool changes() const { return shape.stage.stride != 1 || shape.in != shape.out; }

  at::Tensor shortcut(const at::Tensor& x) {
    if (!changes()) {
      return x;
    }
    if (projection) {
      return projection->forward(x);
    }
    // Shortcut A: every stride-th voxel, and zeros for the channels that are missing.
    at::Tensor y = shape.detached ? x.detach() : x;
    for (std::int64_t axis = 2; axis < 5; ++axis) {
      y = y.slice(axis, 0, {}, shape.stage.stride);
    }
    return at::constant_pad_nd(y, {0, 0, 0, 0, 0, 0, 0, shape.out - shape.in}, 0);
  }

  BlockShape shape;
  torch::nn::Conv3d conv1{nullptr}, conv2{nullptr};
  nn::ResidualNorm norm1{nullptr}, norm2{nullptr};
  Projection projection{nullptr};
};
TORCH_MODULE(BasicBlock);

/// (C + ridge)^(-1/2) / sd of features [n, K] with the correlation C: what makes them, but for the
/// ridge, uncorrelated and of one size. A classifier then learns all directions equally fast.
at::Tensor whitening_of(const at::Tensor& features) {
  const at::Tensor sd = features.std(0, /*unbiased=*/false).clamp_min(kLeastFeatureSd);
  const at::Tensor scaled = (features - features.mean(0)) / sd;
  const at::Tensor correlation = at::mm(scaled.t(), scaled) / features.size(0);
  const auto [variance, direction] = at::linalg_eigh(correlation);
  const double ridge = kWhiteningRidge * static_cast<double>(features.size(1));
  const at::Tensor stretch = (variance.clamp_min(0) + ridge).rsqrt();
  return at::mm(direction * stretch, direction.t()) / sd;
}

class ResNet final : public Backbone {
 public:
  ResNet(const BackboneConfig& config, std::int64_t in_channels)
      : geometry_(geometry_of(config.name)), in_channels_(in_channels), channels_(config.width) {
    const bool batch = (config.norm == "auto" ? geometry_.norm : config.norm) == "batch";
    const bool projects = (config.shortcut == "auto" ? geometry_.shortcut : config.shortcut) == "b";
    conv1_ = register_module("conv1", convolution(in_channels, channels_, 7, {1, 1, 2, 1}));
    norm1_ = register_module("norm1", nn::ResidualNorm(channels_, batch));
    for (const StageShape& stage : geometry_.stages) {
      torch::nn::ModuleList blocks;
      for (std::int64_t block = 0; block < stage.blocks; ++block) {
        const std::int64_t out = config.width * stage.widths;
        StageShape here = stage;
        here.stride = block == 0 ? stage.stride : 1;
        blocks->push_back(BasicBlock(BlockShape{channels_, out, here, geometry_.relu_after_add,
                                                batch, projects, config.detached_shortcut}));
        channels_ = out;
      }
      layers_.push_back(
          register_module("layer" + std::to_string(layers_.size() + 1), std::move(blocks)));
    }
    if (config.start == "texture") {
      feature_map_ = register_buffer("feature_map", at::eye(channels_));
      feature_shift_ = register_buffer("feature_shift", at::zeros({channels_}));
    }
    for (const auto& module : modules(/*include_self=*/false)) {
      if (auto* norm = module->as<nn::ResidualNorm>(); norm != nullptr && norm->batch) {
        norms_.push_back(norm);
      }
    }
  }

  at::Tensor forward(const at::Tensor& voi) override {
    require<ShapeError>(voi.dim() == 5 && voi.size(1) == in_channels_,
                        "backbone: wanted a VOI [N, " + std::to_string(in_channels_) +
                            ", z, y, x], found " + c10::str(voi.sizes()));
    // As in the U-Nets: channels-last pays where there are norms of our own.
    at::Tensor x = nn::prefers_channels_last(voi.device()) ? nn::channels_last(voi) : voi;
    x = norm1_->forward(nn::convolve(*conv1_, x), nn::kRelu);
    if (geometry_.pool) {
      x = at::max_pool3d(x, {3, 3, 3}, {2, 2, 2}, {1, 1, 1});
    }
    for (const torch::nn::ModuleList& layer : layers_) {
      for (const auto& block : *layer) {
        x = block->as<BasicBlock>()->forward(x);
      }
      x = geometry_.relu_after_add ? x : at::relu(x);
    }
    return feature_map_.defined() ? mapped(x) : x;
  }

  /// Prefixes of their parameters' names.
  [[nodiscard]] std::vector<std::string> strided_blocks() const {
    std::vector<std::string> prefixes;
    for (std::size_t i = 0; i < geometry_.stages.size(); ++i) {
      if (geometry_.stages[i].stride > 1) {
        prefixes.push_back("layer" + std::to_string(i + 1) + ".0.");
      }
    }
    return prefixes;
  }

  [[nodiscard]] bool has_batch_norm() const override { return !norms_.empty(); }
  [[nodiscard]] bool has_max_pooling() const override { return geometry_.pool; }

  void whiten_features(std::size_t count, const VoiAt& voi_at) override {
    if (!feature_map_.defined()) {
      return;
    }
    const at::NoGradGuard no_grad;
    feature_map_.copy_(at::eye(channels_));
    feature_shift_.zero_();
    std::vector<at::Tensor> averages;
    for (std::size_t i = 0; i < count; ++i) {
      averages.push_back(forward(voi_at(i)).mean({2, 3, 4}).squeeze(0));
    }
    const at::Tensor features = at::stack(averages).to(at::kCPU, at::kDouble);
    const at::Tensor map = whitening_of(features).to(at::kFloat);
    feature_map_.copy_(map);
    feature_shift_.copy_(-at::mv(map, features.mean(0).to(at::kFloat)));
  }

  [[nodiscard]] std::int64_t channels() const override { return channels_; }
  [[nodiscard]] std::int64_t stride() const override {
    std::int64_t stride = geometry_.pool ? 4 : 2;
    for (const StageShape& stage : geometry_.stages) {
      stride *= stage.stride;
    }
    return stride;
  }

  void exchange_sums_with(SumExchange exchange) override {
    for (nn::ResidualNormImpl* norm : norms_) {
      norm->exchange = exchange;
    }
  }

  [[nodiscard]] std::vector<double> take_batch_sums() override {
    std::vector<double> sums;
    for (nn::ResidualNormImpl* norm : norms_) {
      require<ShapeError>(norm->batch_sums.size() == norm->sums(),
                          "backbone: no training forward since the last batch sums were taken");
      sums.insert(sums.end(), norm->batch_sums.begin(), norm->batch_sums.end());
      norm->batch_sums.clear();
    }
    return sums;
  }

  void update_running_statistics(const std::vector<double>& totals) override {
    std::size_t wanted = 0;
    for (const nn::ResidualNormImpl* norm : norms_) {
      wanted += norm->sums();
    }
    require<ShapeError>(totals.size() == wanted, "backbone: wanted " + std::to_string(wanted) +
                                                     " batch sums, found " +
                                                     std::to_string(totals.size()));
    const double* next = totals.data();
    for (nn::ResidualNormImpl* norm : norms_) {
      norm->update(next);
      next += norm->sums();
    }
  }

 private:
  /// feature_map x + feature_shift, voxel by voxel.
  [[nodiscard]] at::Tensor mapped(const at::Tensor& x) const {
    const auto type = x.scalar_type();
    return at::conv3d(x, feature_map_.to(type).view({channels_, channels_, 1, 1, 1}),
                      feature_shift_.to(type));
  }

  const Geometry& geometry_;
  std::int64_t in_channels_;
  std::int64_t channels_;
  torch::nn::Conv3d conv1_{nullptr};
  nn::ResidualNorm norm1_{nullptr};
  std::vector<torch::nn::ModuleList> layers_;
  std::vector<nn::ResidualNormImpl*> norms_;  ///< BatchNorms, owned by the modules above
  at::Tensor feature_map_, feature_shift_;    ///< [K, K], [K]; start texture only
};

/// `weight` of a stem for fewer channels, with zeros for the ones that are new.
at::Tensor inflated(const at::Tensor& weight, std::int64_t channels) {
  return at::constant_pad_nd(weight, {0, 0, 0, 0, 0, 0, 0, channels - weight.size(1)}, 0);
}

bool is_narrower_stem(const std::string& name, const at::Tensor& from, const at::Tensor& to) {
  return name == "conv1.weight" && from.dim() == 5 && from.size(0) == to.size(0) &&
         from.size(1) < to.size(1) && from.sizes().slice(2) == to.sizes().slice(2);
}

}  // namespace

void BackboneConfig::declare(ConfigSchema& schema) {
  schema.add_choice("name", name, backbone_names(),
                    "Residual network: the challenge winner's (stride 4), MedicalNet's dilated "
                    "ResNet-34 (stride 8) or the plain strided one");
  schema.add("width", width, "Channels of the stem; the published networks have 64",
             Range{.low = 2});
  schema.add_choice("norm", norm, {"auto", "group", "batch"},
                    "Normalisation; auto: the network's own");
  schema.add_choice("shortcut", shortcut, {"auto", "a", "b"},
                    "Where shapes change: a strides and pads with zeros, b convolves; auto: the "
                    "network's own");
  schema.add("detached_shortcut", detached_shortcut,
             "No gradient through shortcut a, as MedicalNet was trained");
  schema.add_choice("start", start, {"drawn", "texture"},
                    "Untrained weights: drawn, or showing texture from the first step (filters of "
                    "bands and directions, blocks that begin as shortcuts, whitened features)");
}

std::vector<std::string> backbone_names() {
  std::vector<std::string> names;
  for (const Geometry& row : geometries()) {
    names.emplace_back(row.name);
  }
  return names;
}

std::shared_ptr<Backbone> make_backbone(const BackboneConfig& config, std::int64_t in_channels,
                                        std::uint64_t seed) {
  require<ConfigError>(in_channels >= 1 && config.width >= 1,
                       "backbone: wanted at least 1 channel in and 1 in the stem");
  auto network = std::make_shared<ResNet>(config, in_channels);
  nn::draw_residual_weights(*network, seed);
  if (config.start == "texture") {
    nn::set_texture_weights(*network, in_channels - 1, network->strided_blocks());
  }
  return network;
}

BackboneTransfer load_backbone(Backbone& backbone,
                               const std::vector<std::pair<std::string, at::Tensor>>& weights) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> given(weights.begin(), weights.end());
  BackboneTransfer report;
  const auto load = [&](const std::string& name, const at::Tensor& target) {
    const auto found = given.find(name);
    if (found == given.end()) {
      report.fresh.push_back(name);
      return;
    }
    const at::Tensor& source = found->second;
    if (source.sizes() == target.sizes()) {
      target.copy_(source);
      report.copied.push_back(name);
    } else if (is_narrower_stem(name, source, target)) {
      target.copy_(inflated(source, target.size(1)));
      report.inflated.push_back(name);
    } else {
      throw DataError("backbone weights: " + name + " has the shape " + c10::str(source.sizes()) +
                      ", wanted " + c10::str(target.sizes()) +
                      "; set backbone.width and backbone.name as they were trained");
    }
    given.erase(found);
  };
  for (const auto& item : backbone.named_parameters()) {
    load(item.key(), item.value());
  }
  for (const auto& item : backbone.named_buffers()) {
    load(item.key(), item.value());
  }
  for (const auto& [name, tensor] : given) {
    report.unused.push_back(name);
  }
  const auto convolutions =
      std::count_if(report.copied.begin(), report.copied.end(),
                    [](const std::string& name) { return name.find("conv") != std::string::npos; });
  require<DataError>(convolutions > 0,
                     "backbone weights: no convolution has a name of this network; bring them to "
                     "its names first (data_prep/tools/import_medicalnet.py)");
  return report;
}

}  // namespace hepar
