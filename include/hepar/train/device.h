#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/nn/autocast.h>
#include <hepar/train/compute_config.h>

#include <cstdint>
#include <string>

namespace hepar {

/// Where a rank computes (with CUDA the device of its number on the host, modulo the devices;
/// auto: CUDA where there is a GPU), and in what (auto: bf16 on a GPU that convolves in it, else
/// float32). Throws ConfigError when cuda was asked for and this program sees no GPU.
Compute choose_compute(const ComputeConfig& config, const Communicator& communicator);

/// float32 | bf16 | fp16.
std::string precision_name(at::ScalarType type);

/// What `run.deterministic` asks of a GPU, before it is first used: kernels that always give the
/// same bits, or else whichever cuDNN measures to be the fastest. Sets CUBLAS_WORKSPACE_CONFIG and
/// NCCL_ALGO, and throws ConfigError where the environment has them otherwise. A CPU always gives
/// the same bits.
void set_determinism(bool deterministic, at::Device device);

/// Throws ConfigError where that asks for what LibTorch has not: the same gradient every time of
/// pooling on a GPU. `pooling`: what the network pools with; empty: nothing.
void check_pooling(bool deterministic, at::Device device, const std::string& pooling);

/// Threads of a rank: those asked for, or with 0 its share of the processors it may use: all where
/// the launcher gave each rank its own.
int choose_threads(std::int64_t asked, const Communicator& communicator);

}  // namespace hepar
