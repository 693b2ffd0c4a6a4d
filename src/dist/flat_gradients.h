#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace hepar {

/// The gradients of some parameters side by side in one float32 vector on their device. Each keeps
/// its parameter's strides, so that a channels-last gradient is copied as plain memory.
struct FlatGradients {
  at::Tensor flat;                ///< [total] float32; gaps between parameters stay zero
  std::vector<at::Tensor> views;  ///< one a parameter, its shape and strides, into `flat`
};

/// Throws ShapeError naming the parameter's index unless all are dense float32 on one device.
void check_parameters(const std::vector<at::Tensor>& parameters);

/// Zeros for `parameters`.
FlatGradients allocate_gradients(const std::vector<at::Tensor>& parameters);

/// views = .grad of each parameter; a missing one is zeros.
void copy_gradients(const std::vector<at::Tensor>& parameters, FlatGradients& into);

/// views += .grad of each parameter. A missing one is added as zeros, not skipped: −0 + 0 is +0,
/// and the bits may not depend on where in the tree a gradient is missing.
void add_gradients(const std::vector<at::Tensor>& parameters, FlatGradients& into);

/// Undefines .grad of each parameter.
void clear_gradients(const std::vector<at::Tensor>& parameters);

/// Makes the views the .grad of the parameters, without a copy.
void publish_gradients(const std::vector<at::Tensor>& parameters, const FlatGradients& from);

}  // namespace hepar
