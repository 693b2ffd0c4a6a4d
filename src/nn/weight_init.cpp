#include "weight_init.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "blocks.h"
#include "hepar/core/error.h"
#include "hepar/core/parallel.h"
#include "hepar/core/random.h"
#include "texture_filters.h"

namespace hepar::nn {
namespace {

/// Kaiming's standard deviation for LeakyReLU; fan in as torch counts it: dimension 1 × receptive
/// field, also for transposed convolutions, whose dimension 1 is their output.
double kaiming_std(const at::Tensor& weight) {
  const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
  return std::sqrt(2.0 / (1.0 + kLeakySlope * kLeakySlope) / fan_in);
}

/// From several threads: the normal numbers of a large network take one half a second.
void fill_normal_(at::Tensor& weight, double std, const RandomStream& random) {
  require(weight.is_cpu() && weight.is_contiguous(),
          "initial weights: wanted a new network, on the CPU");
  constexpr std::int64_t kPiece = 16384;
  float* values = weight.mutable_data_ptr<float>();
  const std::int64_t pieces = (weight.numel() + kPiece - 1) / kPiece;
  parallel_for(pieces, at::get_num_threads(), [&](std::int64_t piece) {
    RandomStream here = random.after(static_cast<std::uint32_t>(piece * kPiece / 2));
    const std::int64_t end = std::min(weight.numel(), (piece + 1) * kPiece);
    for (std::int64_t i = piece * kPiece; i < end; ++i) {
      values[i] = static_cast<float>(std * here.normal());
    }
  });
}

constexpr double kLinearStd = 0.01;

RandomStream stream_of(std::uint64_t seed, std::uint32_t parameter) {
  return RandomStream({.seed = seed, .purpose = Purpose::kInitialWeights, .slot = parameter});
}

void set_texture_filters(at::Tensor& stem, std::int64_t images) {
  const std::int64_t pairs = std::min(stem.size(0) / 2, 2 * images * kTexturePairs);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const std::int64_t image = pair % images;
    const bool last_image = image == images - 1, second_round = pair >= images * kTexturePairs;
    const std::int64_t which = pair / images % kTexturePairs;
    const auto filters = last_image != second_round ? isotropic_pair(which, stem.size(2))
                                                    : oriented_pair(which, stem.size(2));
    for (std::int64_t i = 0; i < 2; ++i) {
      const at::Tensor channel = stem.select(0, 2 * pair + i);
      channel.zero_();
      channel.select(0, image).copy_(filters[static_cast<std::size_t>(i)]);
    }
  }
}

/// body(name, value, number).
template <class Body>
void for_parameters(torch::nn::Module& network, const Body& body) {
  const at::NoGradGuard no_grad;
  std::uint32_t number = 0;
  for (auto& item : network.named_parameters()) {
    body(item.key(), item.value(), number++);
  }
}

/// What hands each channel on, as often as there is room, beside a part of what was drawn for it,
/// without which repeated channels would stay the same: [out, in].
at::Tensor handing_on(const at::Tensor& drawn) {
  constexpr double kDrawnPart = 0.3;
  at::Tensor channels = kDrawnPart * drawn;
  for (std::int64_t out = 0; out < channels.size(0); ++out) {
    channels.select(0, out).select(0, out % channels.size(1)).add_(1);
  }
  return channels;
}

/// The binomial kernel 1/4, 1/2, 1/4 along each axis of three voxels.
at::Tensor smoothing_kernel() {
  const at::Tensor line = at::tensor({0.25F, 0.5F, 0.25F});
  return line.view({3, 1, 1}) * line.view({1, 3, 1}) * line.view({1, 1, 3});
}

at::Tensor& named(torch::OrderedDict<std::string, at::Tensor>& parameters,
                  const std::string& name) {
  at::Tensor* found = parameters.find(name);
  require<ConfigError>(found != nullptr,
                       "backbone.start: texture wants a shortcut that convolves "
                       "(backbone.shortcut=b); there is no " +
                           name);
  return *found;
}

/// A block that strides sees every other voxel through its shortcut and all through its
/// convolutions, so that these begin as a smoothing and the shortcut's scale as 0.
void begin_by_smoothing(torch::OrderedDict<std::string, at::Tensor>& parameters,
                        const std::string& block) {
  const at::Tensor mixing =
      handing_on(named(parameters, block + "shortcut.conv.weight").flatten(1));
  named(parameters, block + "conv1.weight")
      .copy_(mixing.view({mixing.size(0), mixing.size(1), 1, 1, 1}) * smoothing_kernel());
  at::Tensor& second = named(parameters, block + "conv2.weight");
  second.zero_();
  second.select(4, 1).select(3, 1).select(2, 1).copy_(at::eye(second.size(0)));
  named(parameters, block + "shortcut.norm.weight").zero_();
}

/// The scale of its last norm becomes 0.
void begin_as_shortcut(torch::OrderedDict<std::string, at::Tensor>& parameters,
                       const std::string& block) {
  named(parameters, block + "norm2.weight").zero_();
  if (at::Tensor* shortcut = parameters.find(block + "shortcut.conv.weight")) {
    shortcut->copy_(handing_on(shortcut->flatten(1)).view(shortcut->sizes()));
  }
}

/// Made small and given its size afterwards.
template <class Layer, class Options>
Layer undrawn_layer(const Options& options, std::int64_t rows, std::int64_t columns) {
  const std::int64_t groups = options.groups();
  Layer layer(Options(options).in_channels(groups).out_channels(groups));
  layer->options.in_channels(options.in_channels()).out_channels(options.out_channels());
  std::vector<std::int64_t> sizes{rows, columns / groups};
  sizes.insert(sizes.end(), options.kernel_size()->begin(), options.kernel_size()->end());
  const at::NoGradGuard no_grad;
  layer->weight.set_data(at::empty(sizes));
  if (layer->bias.defined()) {
    layer->bias.set_data(at::empty({options.out_channels()}));
  }
  return layer;
}

}  // namespace

torch::nn::Conv3d undrawn(const torch::nn::Conv3dOptions& options) {
  return undrawn_layer<torch::nn::Conv3d>(options, options.out_channels(), options.in_channels());
}

torch::nn::ConvTranspose3d undrawn(const torch::nn::ConvTranspose3dOptions& options) {
  return undrawn_layer<torch::nn::ConvTranspose3d>(options, options.in_channels(),
                                                   options.out_channels());
}

void draw_initial_weights(torch::nn::Module& network, std::uint64_t seed) {
  for_parameters(network, [seed](std::string_view name, at::Tensor& value, std::uint32_t number) {
    if (value.dim() == 5) {
      fill_normal_(value, kaiming_std(value), stream_of(seed, number));
    } else if (name.ends_with("norm.weight")) {
      value.fill_(name.ends_with("conv2.norm.weight") ? 0.0 : 1.0);
    } else {
      value.zero_();
    }
  });
}

void draw_residual_weights(torch::nn::Module& network, std::uint64_t seed, std::uint32_t first) {
  for_parameters(network, [=](std::string_view name, at::Tensor& value, std::uint32_t number) {
    const RandomStream random = stream_of(seed, first + number);
    if (value.dim() == 5) {
      const auto fan_out = static_cast<double>(value.numel() / value.size(1));
      fill_normal_(value, std::sqrt(2.0 / fan_out), random);
    } else if (value.dim() == 2) {
      fill_normal_(value, kLinearStd, random);
    } else {
      value.fill_(name.ends_with("weight") ? 1.0 : 0.0);
    }
  });
}

void set_texture_weights(torch::nn::Module& network, std::int64_t images,
                         const std::vector<std::string>& strided_blocks) {
  const at::NoGradGuard no_grad;
  auto parameters = network.named_parameters();
  set_texture_filters(parameters["conv1.weight"], images);
  constexpr std::string_view kBlockEnd = "norm2.weight";
  for (const std::string& name : parameters.keys()) {
    if (name.ends_with(kBlockEnd)) {
      const std::string block = name.substr(0, name.size() - kBlockEnd.size());
      const bool strides =
          std::find(strided_blocks.begin(), strided_blocks.end(), block) != strided_blocks.end();
      strides ? begin_by_smoothing(parameters, block) : begin_as_shortcut(parameters, block);
    }
  }
}

}  // namespace hepar::nn
