#include "hepar/nn/unet.h"

#include <ATen/ops/cat.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>

#include "blocks.h"
#include "convolution.h"
#include "fused_norm.h"
#include "hepar/core/error.h"
#include "weight_init.h"

namespace hepar {
namespace {

using nn::ConvShape;
using nn::Triple;

/// Encoder stages; the names of the two kinds differ, so each keeps its own.
struct EncoderImpl : torch::nn::Module {
  explicit EncoderImpl(const UNetOptions& options) {
    std::int64_t in = options.in_channels;
    const bool residual = options.architecture == "resenc";
    if (residual) {
      stem = nn::ConvStack(
          ConvShape{.in = in, .out = options.features[0], .kernel = options.kernels[0]}, 1);
      register_module("stem", stem);
      in = options.features[0];
    }
    register_module("stages", stages);
    for (std::size_t s = 0; s < options.features.size(); ++s) {
      const ConvShape first{.in = in,
                            .out = options.features[s],
                            .kernel = options.kernels[s],
                            .stride = options.strides[s]};
      in = options.features[s];
      if (residual) {
        stages->push_back(nn::ResidualStack(first, options.blocks_per_stage[s]));
      } else {
        torch::nn::ModuleList stage;
        stage->push_back(nn::ConvStack(first, options.blocks_per_stage[s]));
        stages->push_back(stage);
      }
    }
  }

  /// Every stage's features, full resolution first.
  std::vector<at::Tensor> forward(const at::Tensor& image) {
    at::Tensor x = stem ? stem->forward(image) : image;
    std::vector<at::Tensor> features;
    for (const auto& stage : *stages) {
      if (auto* residual = stage->as<nn::ResidualStack>()) {
        x = residual->forward(x);
      } else {
        x = (*stage->as<torch::nn::ModuleList>())[0]->as<nn::ConvStack>()->forward(x);
      }
      features.push_back(x);
    }
    return features;
  }

  nn::ConvStack stem{nullptr};
  torch::nn::ModuleList stages;
};
TORCH_MODULE(Encoder);

/// Decoder levels in order of computation: level 0 joins the bottleneck with the deepest skip.
struct DecoderImpl : torch::nn::Module {
  explicit DecoderImpl(const UNetOptions& options) {
    register_module("stages", stages);
    register_module("transpconvs", transpconvs);
    register_module("seg_layers", seg_layers);
    for (std::size_t level = 0; level + 1 < options.features.size(); ++level) {
      const std::size_t below = options.features.size() - 1 - level;
      const std::int64_t deep = options.features[below];
      const std::int64_t width = options.features[below - 1];
      const at::IntArrayRef stride(options.strides[below]);
      transpconvs->push_back(
          nn::undrawn(torch::nn::ConvTranspose3dOptions(deep, width, stride).stride(stride)));
      stages->push_back(nn::ConvStack(
          ConvShape{.in = 2 * width, .out = width, .kernel = options.kernels[below - 1]},
          options.convs_per_decoder_level[level]));
      seg_layers->push_back(torch::nn::Conv3d(torch::nn::Conv3dOptions(width, options.classes, 1)));
    }
  }

  /// Logits, full resolution first; of the last level only unless `every_level`.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& skips, bool every_level) {
    at::Tensor x = skips.back();
    std::vector<at::Tensor> logits;
    const std::size_t levels = stages->size();
    for (std::size_t level = 0; level < levels; ++level) {
      const at::Tensor& skip = skips[levels - 1 - level];
      x = nn::transposed_convolve(*transpconvs[level]->as<torch::nn::ConvTranspose3d>(), x);
      x = at::cat({x.contiguous(skip.suggest_memory_format()), skip}, 1);
      x = stages[level]->as<nn::ConvStack>()->forward(x);
      if (every_level || level + 1 == levels) {
        logits.push_back(seg_layers[level]->as<torch::nn::Conv3d>()->forward(x));
      }
    }
    std::reverse(logits.begin(), logits.end());
    return logits;
  }

  torch::nn::ModuleList stages, transpconvs, seg_layers;
};
TORCH_MODULE(Decoder);

Triple total_stride(const std::vector<Triple>& strides) {
  Triple total{1, 1, 1};
  for (const Triple& stride : strides) {
    for (int axis = 0; axis < 3; ++axis) {
      total[axis] *= stride[axis];
    }
  }
  return total;
}

class UNet final : public SegmentationNetwork {
 public:
  explicit UNet(const UNetOptions& options)
      : in_channels_(options.in_channels),
        divisor_(total_stride(options.strides)),
        encoder_(register_module("encoder", Encoder(options))),
        decoder_(register_module("decoder", Decoder(options))) {}

  std::vector<at::Tensor> forward(const at::Tensor& image) override {
    check(image);
    const Autocast autocast(compute_);
    // Channels-last pays where there is a norm of our own (convolutions take the order of their
    // input).
    const at::Tensor x =
        nn::prefers_channels_last(image.device()) ? nn::channels_last(image) : image;
    return decoder_->forward(encoder_->forward(x), deep_supervision);
  }

 private:
  void check(const at::Tensor& image) const {
    const std::string found = "found " + c10::str(image.sizes());
    require<ShapeError>(image.dim() == 5 && image.size(1) == in_channels_,
                        "U-Net input: wanted [N, " + std::to_string(in_channels_) + ", z, y, x], " +
                            found + "; check the plan's channels");
    for (int axis = 0; axis < 3; ++axis) {
      require<ShapeError>(image.size(axis + 2) % divisor_[axis] == 0,
                          "U-Net input: wanted axis " + std::to_string(axis) + " divisible by " +
                              std::to_string(divisor_[axis]) + ", " + found +
                              "; use the plan's patch size");
    }
  }

  std::int64_t in_channels_;
  Triple divisor_;
  Encoder encoder_;
  Decoder decoder_;
};

void check(const UNetOptions& options) {
  const std::size_t stages = options.features.size();
  const auto want = [&](bool ok, const std::string& what) {
    require<ConfigError>(ok, "U-Net: wanted " + what + "; check the plan");
  };
  want(options.architecture == "plain" || options.architecture == "resenc",
       "architecture plain or resenc, found '" + options.architecture + "'");
  want(stages >= 2, "at least 2 stages, found " + std::to_string(stages));
  want(options.in_channels >= 1 && options.classes >= 1, "at least 1 channel and 1 output");
  const auto length = [&](std::size_t found, std::size_t wanted, const char* name) {
    want(found == wanted,
         std::to_string(wanted) + " entries in " + name + ", found " + std::to_string(found));
  };
  length(options.strides.size(), stages, "strides");
  length(options.kernels.size(), stages, "kernels");
  length(options.blocks_per_stage.size(), stages, "blocks_per_stage");
  length(options.convs_per_decoder_level.size(), stages - 1, "convs_per_decoder_level");
  want(std::ranges::all_of(options.kernels,
                           [](const Triple& k) {
                             return std::ranges::all_of(k, [](auto n) { return n % 2 == 1; });
                           }),
       "odd kernels");
  const auto positive = [](std::int64_t n) { return n >= 1; };
  want(std::ranges::all_of(options.blocks_per_stage, positive) &&
           std::ranges::all_of(options.convs_per_decoder_level, positive),
       "at least 1 block a stage and 1 convolution a decoder level");
}

/// nnU-Net's numbers of blocks where a plan leaves them out.
void fill_blocks(UNetOptions& options) {
  const std::size_t stages = options.features.size();
  const bool residual = options.architecture == "resenc";
  if (options.blocks_per_stage.empty()) {
    constexpr std::array<std::int64_t, 4> kResidual{1, 3, 4, 6};
    for (std::size_t s = 0; s < stages; ++s) {
      options.blocks_per_stage.push_back(residual ? kResidual[std::min<std::size_t>(s, 3)] : 2);
    }
  }
  if (options.convs_per_decoder_level.empty() && stages > 0) {
    options.convs_per_decoder_level.assign(stages - 1, residual ? 1 : 2);
  }
}

}  // namespace

UNetOptions unet_options(const Plan& plan) {
  UNetOptions options;
  options.in_channels = static_cast<std::int64_t>(plan.channels.size());
  options.classes = static_cast<std::int64_t>(plan.classes.size());
  options.architecture = plan.architecture;
  options.features = plan.features;
  options.strides = plan.strides;
  options.kernels = plan.kernels;
  options.blocks_per_stage = plan.blocks_per_stage;
  options.convs_per_decoder_level = plan.convs_per_decoder_level;
  fill_blocks(options);
  return options;
}

std::shared_ptr<SegmentationNetwork> make_unet(const UNetOptions& options, std::uint64_t seed) {
  UNetOptions complete = options;
  fill_blocks(complete);
  check(complete);
  auto network = std::make_shared<UNet>(complete);
  nn::draw_initial_weights(*network, seed);
  return network;
}

}  // namespace hepar
