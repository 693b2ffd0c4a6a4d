#include "flat_gradients.h"

#include <ATen/ATen.h>

#include <string>

#include "hepar/core/error.h"

namespace hepar {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: a cache line, and a full vector register

std::int64_t padded(std::int64_t count) {
  return (count + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<std::int64_t> strides_of(const at::Tensor& parameter) {
  const at::Tensor shaped =
      parameter.is_non_overlapping_and_dense()
          ? parameter
          : at::empty(parameter.sizes(), at::TensorOptions().device(at::kMeta));
  return shaped.strides().vec();
}

}  // namespace

void check_parameters(const std::vector<at::Tensor>& parameters) {
  require<ShapeError>(!parameters.empty(), "gradient reducer: there is no parameter to train");
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& p = parameters[i];
    const std::string where = "gradient reducer: parameter " + std::to_string(i);
    require<ShapeError>(p.defined(), where + " is undefined");
    require<ShapeError>(p.scalar_type() == at::kFloat && p.layout() == at::kStrided,
                        where + ": wanted a dense float32 tensor, found " + p.toString());
    require<ShapeError>(p.device() == parameters[0].device(),
                        where + " is on " + p.device().str() + ", parameter 0 on " +
                            parameters[0].device().str() + "; wanted one device");
  }
}

FlatGradients allocate_gradients(const std::vector<at::Tensor>& parameters) {
  const at::NoGradGuard no_grad;
  std::int64_t total = 0;
  for (const at::Tensor& p : parameters) {
    total += padded(p.numel());
  }
  FlatGradients set;
  set.flat =
      at::zeros({total}, at::TensorOptions().dtype(at::kFloat).device(parameters[0].device()));
  std::int64_t offset = 0;
  for (const at::Tensor& p : parameters) {
    set.views.push_back(set.flat.as_strided(p.sizes(), strides_of(p), offset));
    offset += padded(p.numel());
  }
  return set;
}

void copy_gradients(const std::vector<at::Tensor>& parameters, FlatGradients& into) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& gradient = parameters[i].grad();
    if (!gradient.defined()) {
      into.views[i].zero_();
    } else if (gradient.data_ptr() != into.views[i].data_ptr()) {
      into.views[i].copy_(gradient);
    }
  }
}

void add_gradients(const std::vector<at::Tensor>& parameters, FlatGradients& into) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& gradient = parameters[i].grad();
    if (gradient.defined()) {
      into.views[i].add_(gradient);
    } else {
      into.views[i].add_(0.0);
    }
  }
}

void clear_gradients(const std::vector<at::Tensor>& parameters) {
  for (const at::Tensor& p : parameters) {
    p.mutable_grad() = at::Tensor();
  }
}

void publish_gradients(const std::vector<at::Tensor>& parameters, const FlatGradients& from) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].mutable_grad() = from.views[i];
  }
}

}  // namespace hepar
