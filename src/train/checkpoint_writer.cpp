#include "hepar/train/checkpoint_writer.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "hepar/core/log.h"

namespace hepar {
namespace {

constexpr double kWorthSaying_s = 0.1;

bool fits(const at::Tensor& held, const at::Tensor& value) {
  return held.defined() && held.sizes() == value.sizes() &&
         held.scalar_type() == value.scalar_type();
}

/// Makes `held` a place for `values`: the same memory as long as nothing but numbers change.
void make_room(NamedTensors& held, const NamedTensors& values) {
  held.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& [name, value] = values[i];
    held[i].first = name;
    if (!fits(held[i].second, value)) {
      held[i].second = at::empty(
          value.sizes(), at::TensorOptions(value.scalar_type()).pinned_memory(value.is_cuda()));
    }
  }
}

void touch(const NamedTensors& tensors) {
  for (const auto& item : tensors) {
    std::fill_n(static_cast<char*>(item.second.mutable_data_ptr()), item.second.nbytes(), 0);
  }
}

void copy_to(NamedTensors& held, const NamedTensors& values) {
  make_room(held, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    held[i].second.copy_(values[i].second.detach(), /*non_blocking=*/true);
  }
}

/// What returns once the device has made the copies asked for so far; the CPU has.
std::function<void()> wait_for_copies(const Checkpoint& checkpoint) {
  if (checkpoint.weights.empty() || checkpoint.weights.front().second.is_cpu()) {
    return [] {};
  }
  const at::Device device = checkpoint.weights.front().second.device();
  const auto made = std::make_shared<c10::Event>(device.type());
  made->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  return [device, made] {
    const c10::DeviceGuard guard(device);  // a thread begins on the first device
    made->synchronize();
  };
}

}  // namespace

CheckpointWriter::CheckpointWriter(Write write) : write_(std::move(write)) {}

CheckpointWriter::~CheckpointWriter() {
  try {
    wait();
  } catch (const std::exception& e) {
    log::warn(std::string("the last checkpoint was not written: ") + e.what());
  }
}

void CheckpointWriter::prepare(const Checkpoint& like) {
  wait();
  start([this, like] {
    make_room(kept_.weights, like.weights);
    make_room(kept_.optimizer, like.optimizer);
    touch(kept_.weights);
    touch(kept_.optimizer);
  });
}

void CheckpointWriter::save(const Checkpoint& checkpoint) {
  const auto begin = std::chrono::steady_clock::now();
  wait();
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
  if (waited.count() > kWorthSaying_s) {
    log::info("the checkpoint of step " + std::to_string(checkpoint.step) + " had to wait " +
              std::to_string(waited.count()) + " s for the one before it to be written");
  }
  kept_.step = checkpoint.step;
  kept_.state = checkpoint.state;
  copy_to(kept_.weights, checkpoint.weights);
  copy_to(kept_.optimizer, checkpoint.optimizer);
  copy_to(kept_.best, checkpoint.best);
  start([this, copied = wait_for_copies(checkpoint)] {
    copied();
    write_(kept_);
  });
}

void CheckpointWriter::wait() {
  if (pending_.valid()) {
    pending_.wait();
    failed_ = false;
    pending_.get();
  }
}

void CheckpointWriter::start(std::function<void()> work) {
  pending_ = std::async(std::launch::async, [this, work = std::move(work)] {
    try {
      work();
    } catch (...) {
      failed_ = true;
      throw;
    }
  });
}

}  // namespace hepar
