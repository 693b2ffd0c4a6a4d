#include "../../src/nn/convolution.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace hepar::nn {
namespace {

struct Case {
  std::int64_t kernel, stride, dilation;
  std::vector<std::int64_t> size;  ///< z, y, x
  bool bias;
};

torch::nn::Conv3d layer_of(const Case& c, std::int64_t in, std::int64_t out) {
  return torch::nn::Conv3d(torch::nn::Conv3dOptions(in, out, c.kernel)
                               .stride(c.stride)
                               .dilation(c.dilation)
                               .padding(c.kernel / 2 * c.dilation)
                               .bias(c.bias));
}

/// Output and the gradients of x and the parameters, for a fixed gradient of the output.
template <class Layer, class Apply>
std::vector<at::Tensor> all_of(Layer& layer, const at::Tensor& x, const Apply& apply) {
  const at::Tensor input = x.detach().requires_grad_();
  const at::Tensor y = apply(*layer, input);
  const at::Tensor gradient =
      at::cos(at::arange(y.numel(), y.options())).reshape(y.sizes()).contiguous();
  std::vector<at::Tensor> of{input};
  for (const at::Tensor& parameter : layer->parameters()) {
    of.push_back(parameter);
  }
  std::vector<at::Tensor> all = torch::autograd::grad({y}, of, {gradient});
  all.push_back(y.detach());
  return all;
}

/// The oracle is ATen in double precision, which oneDNN has no part in. `make` gives the layer.
template <class Make, class Apply>
void expect_double_precision(const Make& make, const at::Tensor& x, const Apply& apply) {
  torch::manual_seed(1);
  auto layer = make();
  auto exact = make();
  exact->to(at::kDouble);
  for (std::size_t i = 0; i < layer->parameters().size(); ++i) {
    exact->parameters()[i].data().copy_(layer->parameters()[i].data());
  }
  const std::vector<at::Tensor> found = all_of(layer, x, apply);
  const std::vector<at::Tensor> wanted =
      all_of(exact, x.to(at::kDouble), [](auto& l, const at::Tensor& in) { return l.forward(in); });
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const at::Tensor &one = found[i], &other = wanted[i];
    const double error =
        (one.to(at::kDouble) - other).abs().max().item<double>() / other.abs().max().item<double>();
    EXPECT_LT(error, 1e-5) << "tensor " << i;
  }
}

at::Tensor map_of(const std::vector<std::int64_t>& sizes) {
  torch::manual_seed(3);
  return at::randn(sizes).contiguous(at::MemoryFormat::ChannelsLast3d);
}

void expect_right(const Case& c) {
  SCOPED_TRACE("kernel " + std::to_string(c.kernel) + ", stride " + std::to_string(c.stride) +
               ", dilation " + std::to_string(c.dilation) + ", size " + c10::str(c.size) +
               (c.bias ? ", bias" : ""));
  expect_double_precision([&] { return layer_of(c, 8, 16); },
                          map_of({1, 8, c.size[0], c.size[1], c.size[2]}),
                          [](auto& l, const at::Tensor& in) { return convolve(l, in); });
}

TEST(Convolution, OfOneSmallSampleEqualsDoublePrecision) {
  for (const std::vector<std::int64_t>& size : std::vector<std::vector<std::int64_t>>{
           {12, 10, 9}, {8, 12, 12}, {6, 5, 7}, {3, 6, 6}, {2, 3, 4}, {1, 2, 1}}) {
    for (const bool bias : {false, true}) {
      expect_right({3, 1, 1, size, bias});
      expect_right({3, 2, 1, size, bias});
      expect_right({3, 1, 2, size, bias});
      expect_right({3, 1, 4, size, bias});
    }
  }
  expect_right({7, 2, 1, {8, 9, 10}, false});
}

TEST(Convolution, OfMoreVoxelsEqualsDoublePrecision) {
  expect_right({3, 1, 1, {24, 60, 50}, true});
  expect_right({3, 2, 1, {24, 60, 50}, false});
  expect_right({1, 1, 1, {24, 60, 50}, true});
}

TEST(Convolution, OfOneSmallSampleIsTheOneThatBatchesGet) {
  torch::manual_seed(2);
  torch::nn::Conv3d layer = layer_of({3, 1, 1, {}, false}, 8, 16);
  const at::Tensor x = at::randn({1, 8, 6, 8, 8}).contiguous(at::MemoryFormat::ChannelsLast3d);

  const at::Tensor one = convolve(*layer, x);
  const at::Tensor two = layer->forward(at::cat({x, x}));

  EXPECT_TRUE(one.is_contiguous(at::MemoryFormat::ChannelsLast3d));
  EXPECT_TRUE(at::equal(one, two.narrow(0, 0, 1)));
}

TEST(TransposedConvolution, EqualsDoublePrecision) {
  for (const std::vector<std::int64_t>& stride :
       std::vector<std::vector<std::int64_t>>{{2, 2, 2}, {1, 2, 2}, {2, 1, 3}}) {
    for (const bool bias : {false, true}) {
      const auto make = [&] {
        return torch::nn::ConvTranspose3d(
            torch::nn::ConvTranspose3dOptions(6, 5, stride).stride(stride).bias(bias));
      };
      expect_double_precision(make, map_of({2, 6, 3, 4, 7}), [](auto& l, const at::Tensor& in) {
        return transposed_convolve(l, in);
      });
    }
  }
}

TEST(TransposedConvolution, KeepsChannelsLast) {
  torch::nn::ConvTranspose3d layer(torch::nn::ConvTranspose3dOptions(6, 5, 2).stride(2));
  EXPECT_TRUE(transposed_convolve(*layer, map_of({1, 6, 3, 4, 5}))
                  .is_contiguous(at::MemoryFormat::ChannelsLast3d));
}

TEST(TransposedConvolution, OfAWiderKernelIsTheLayersOwn) {
  const auto make = [] {
    return torch::nn::ConvTranspose3d(torch::nn::ConvTranspose3dOptions(6, 5, 3).stride(2));
  };
  expect_double_precision(make, map_of({1, 6, 3, 4, 5}),
                          [](auto& l, const at::Tensor& in) { return transposed_convolve(l, in); });
}

}  // namespace
}  // namespace hepar::nn
