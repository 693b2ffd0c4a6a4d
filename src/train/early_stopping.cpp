#include "early_stopping.h"

#include <utility>

namespace hepar {

void EarlyStopping::see(std::int64_t step, double loss, const NamedTensors& weights) {
  if (best_step_ > 0 && loss >= best_loss_) {
    ++waited_;
    return;
  }
  best_step_ = step;
  best_loss_ = loss;
  waited_ = 0;
  best_.clear();
  for (const auto& [name, tensor] : weights) {
    best_.emplace_back(name, tensor.detach().clone());
  }
}

Json EarlyStopping::state() const {
  return {{"best_step", best_step_}, {"best_loss", best_loss_}, {"waited", waited_}};
}

void EarlyStopping::load(const Json& state, NamedTensors best, const std::string& where) {
  best_step_ = json_get<std::int64_t>(state, "best_step", where);
  best_loss_ = json_get<double>(state, "best_loss", where);
  waited_ = json_get<std::int64_t>(state, "waited", where);
  best_ = std::move(best);
}

}  // namespace hepar
