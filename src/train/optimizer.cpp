#include "hepar/train/optimizer.h"

#include <ATen/ops/_foreach_mul.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

namespace optim = torch::optim;

std::vector<at::Tensor> values_of(const NamedTensors& named) {
  std::vector<at::Tensor> values;
  for (const auto& item : named) {
    values.push_back(item.second);
  }
  return values;
}

std::unique_ptr<optim::Optimizer> make(const std::vector<at::Tensor>& parameters,
                                       const OptimizerConfig& c) {
  if (c.name == "sgd") {
    return std::make_unique<optim::SGD>(parameters, optim::SGDOptions(c.lr)
                                                        .momentum(c.momentum)
                                                        .nesterov(c.nesterov && c.momentum > 0)
                                                        .weight_decay(c.weight_decay));
  }
  if (c.name == "adam") {
    return std::make_unique<optim::Adam>(parameters,
                                         optim::AdamOptions(c.lr).weight_decay(c.weight_decay));
  }
  return std::make_unique<optim::AdamW>(parameters,
                                        optim::AdamWOptions(c.lr).weight_decay(c.weight_decay));
}

bool is_of_backbone(const NamedTensors::value_type& parameter) {
  return parameter.first.starts_with("backbone.");
}

/// Puts the backbone's parameters into a group of their own, behind the others.
void split_backbone(optim::Optimizer& optimizer, const NamedTensors& parameters) {
  std::vector<at::Tensor> backbone;
  std::vector<at::Tensor> others;
  for (const auto& item : parameters) {
    (is_of_backbone(item) ? backbone : others).push_back(item.second);
  }
  auto options = optimizer.param_groups().front().options().clone();
  optimizer.param_groups().front().params() = others;
  optimizer.add_param_group(optim::OptimizerParamGroup(backbone, std::move(options)));
}

/// Adam and AdamW keep the same three things under two types.
template <class State>
void append_adam(NamedTensors& out, const std::string& name,
                 const optim::OptimizerParamState& base) {
  const auto& state = static_cast<const State&>(base);
  out.emplace_back("exp_avg." + name, state.exp_avg());
  out.emplace_back("exp_avg_sq." + name, state.exp_avg_sq());
  out.emplace_back("step." + name, at::scalar_tensor(state.step(), at::kLong));
}

/// A copy of a stored value, where and as its parameter is.
at::Tensor value_for(const at::Tensor& parameter, const std::map<std::string, at::Tensor>& values,
                     const std::string& name, const std::string& where) {
  const at::Tensor& stored = values.at(name);
  require<DataError>(stored.sizes() == parameter.sizes(),
                     where + ": '" + name + "' has another shape than the parameter");
  return at::empty_like(parameter.detach()).copy_(stored);
}

template <class State>
std::unique_ptr<optim::OptimizerParamState> adam_state(
    const NamedTensors::value_type& parameter, const std::map<std::string, at::Tensor>& values,
    const std::string& where) {
  const auto& [name, value] = parameter;
  auto state = std::make_unique<State>();
  state->exp_avg(value_for(value, values, "exp_avg." + name, where));
  state->exp_avg_sq(value_for(value, values, "exp_avg_sq." + name, where));
  state->step(values.at("step." + name).item<std::int64_t>());
  return state;
}

}  // namespace

struct Optimizer::Impl {
  NamedTensors parameters;
  OptimizerConfig config;
  std::unique_ptr<optim::Optimizer> optimizer;
};

Optimizer::Optimizer(NamedTensors parameters, const OptimizerConfig& config)
    : impl_(std::make_unique<Impl>()) {
  impl_->optimizer = make(values_of(parameters), config);
  if (std::any_of(parameters.begin(), parameters.end(), is_of_backbone)) {
    split_backbone(*impl_->optimizer, parameters);
  }
  impl_->parameters = std::move(parameters);
  impl_->config = config;
}

Optimizer::~Optimizer() = default;

double Optimizer::step(double learning_rate, double loss_scale) {
  if (loss_scale != 1) {
    std::vector<at::Tensor> gradients;
    for (const auto& item : impl_->parameters) {
      gradients.push_back(item.second.grad());
    }
    at::_foreach_mul_(gradients, 1 / loss_scale);
  }
  // The norm also says whether the gradient is finite, so it is taken when nothing is clipped too.
  const double limit = impl_->config.clip_norm > 0 ? impl_->config.clip_norm
                                                   : std::numeric_limits<double>::infinity();
  const double norm = torch::nn::utils::clip_grad_norm_(values_of(impl_->parameters), limit);
  auto& groups = impl_->optimizer->param_groups();
  groups.front().options().set_lr(learning_rate);
  groups.back().options().set_lr(learning_rate *
                                 (groups.size() > 1 ? impl_->config.backbone_lr : 1));
  if (std::isfinite(norm)) {
    impl_->optimizer->step();
  }
  for (const auto& [name, parameter] : impl_->parameters) {
    parameter.mutable_grad() =
        at::Tensor();  // it may be a view of the reducer's memory: never in place
  }
  return norm;
}

NamedTensors Optimizer::state() const {
  NamedTensors out;
  const auto& states = impl_->optimizer->state();
  for (const auto& [name, parameter] : impl_->parameters) {
    const auto found = states.find(parameter.unsafeGetTensorImpl());
    if (found == states.end()) {
      continue;
    }
    if (impl_->config.name == "sgd") {
      const auto& buffer =
          static_cast<const optim::SGDParamState&>(*found->second).momentum_buffer();
      if (buffer.defined()) {
        out.emplace_back("momentum." + name, buffer);
      }
    } else if (impl_->config.name == "adam") {
      append_adam<optim::AdamParamState>(out, name, *found->second);
    } else {
      append_adam<optim::AdamWParamState>(out, name, *found->second);
    }
  }
  return out;
}

void Optimizer::load_state(const NamedTensors& state, const std::string& where) {
  const std::map<std::string, at::Tensor> values(state.begin(), state.end());
  if (values.empty()) {
    return;
  }
  try {
    auto& states = impl_->optimizer->state();
    for (const auto& parameter : impl_->parameters) {
      const auto& [name, value] = parameter;
      void* key = value.unsafeGetTensorImpl();
      if (impl_->config.name == "sgd") {
        auto sgd = std::make_unique<optim::SGDParamState>();
        sgd->momentum_buffer(value_for(value, values, "momentum." + name, where));
        states[key] = std::move(sgd);
      } else if (impl_->config.name == "adam") {
        states[key] = adam_state<optim::AdamParamState>(parameter, values, where);
      } else {
        states[key] = adam_state<optim::AdamWParamState>(parameter, values, where);
      }
    }
  } catch (const std::out_of_range&) {
    throw DataError(where + ": the optimizer state does not fit optimizer.name '" +
                    impl_->config.name + "' and this network");
  }
}

}  // namespace hepar
