#pragma once
#include <mpi.h>

#include <cstdint>
#include <string>

#include "activity.h"
#include "handle.h"
#include "hepar/comm/communicator.h"
#include "mpi_call.h"
#include "signature.h"

namespace hepar {

struct CommTraits {
  using value_type = MPI_Comm;
  static value_type null() noexcept { return MPI_COMM_NULL; }
  static void release(value_type comm) noexcept;
};
using CommHandle = Handle<CommTraits>;

struct Communicator::Impl {
  CommHandle comm;  ///< null in a group of one, whose members do nothing
  int rank = 0;
  int size = 1;
  int local_rank = 0;
  int local_size = 1;
  int local_sharers = 1;
  std::string host;
  std::uint32_t sequence = 0;
  Activity activity;

  /// Takes a communicator that is ours alone. Collective.
  static std::unique_ptr<Impl> adopt(CommHandle comm);

  /// First act of each blocking collective: compares signatures.
  Call enter(Signature signature);
  /// What is not compared: it counts as a part of the last collective.
  [[nodiscard]] Signature uncompared(CallKind kind, ElementKind element, std::size_t length) const;
};

struct PendingReduction::Impl {
  std::span<std::int64_t> target;
  std::unique_ptr<std::vector<std::int64_t>> buffer;  ///< MPI's own; outlives an abandoned request
  MPI_Request request = MPI_REQUEST_NULL;
  Activity* activity = nullptr;
  Signature call;

  ~Impl();
  void finish();
};

template <class T>
struct MpiElement;
template <>
struct MpiElement<float> {
  static MPI_Datatype type() { return MPI_FLOAT; }
  static constexpr ElementKind kKind = ElementKind::kFloat;
};
template <>
struct MpiElement<double> {
  static MPI_Datatype type() { return MPI_DOUBLE; }
  static constexpr ElementKind kKind = ElementKind::kDouble;
};
template <>
struct MpiElement<std::int64_t> {
  static MPI_Datatype type() { return MPI_INT64_T; }
  static constexpr ElementKind kKind = ElementKind::kInt64;
};

MPI_Op mpi_op(ReduceOp op);

/// Large messages travel in pieces that stay in the cache: at 1 MiB OpenMPI's shared-memory
/// transport was measured 3.5 times as fast per byte as at 128 MiB.
constexpr std::size_t kSegmentBytes = std::size_t{1} << 20;

}  // namespace hepar
