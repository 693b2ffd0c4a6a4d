// Messages between two ranks, and the reduction that travels while a step computes.
#include <time.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "communicator_impl.h"

namespace hepar {
namespace {

/// Piece `at` of a message, and how MPI is to be told of it.
template <class T>
std::span<T> segment(std::span<T> values, std::size_t at) {
  constexpr std::size_t kStep = kSegmentBytes / sizeof(T);
  return values.subspan(at, std::min(kStep, values.size() - at));
}

void check_length(const MPI_Status& status, MPI_Datatype type, std::size_t wanted) {
  int found = 0;
  mpi_check(MPI_Get_count(&status, type, &found), "MPI_Get_count");
  require<CommError>(static_cast<std::size_t>(found) == wanted,
                     "message of rank " + std::to_string(status.MPI_SOURCE) + ", tag " +
                         std::to_string(status.MPI_TAG) + ": wanted " + std::to_string(wanted) +
                         " elements, found " + std::to_string(found));
}

void check_peer(int rank, int size, int peer) {
  require<CommError>(peer >= 0 && peer < size && peer != rank,
                     "rank " + std::to_string(rank) + " of " + std::to_string(size) +
                         ": cannot exchange messages with rank " + std::to_string(peer));
}

struct Peer {
  MPI_Comm comm;
  int rank;
  int tag;
};

template <class T>
void exchange_segments(const Call& call, const Peer& peer, std::span<const T> out,
                       std::span<T> in) {
  require<ShapeError>(out.size() == in.size(), "exchange with rank " + std::to_string(peer.rank) +
                                                   ": sends " + std::to_string(out.size()) +
                                                   " elements but receives " +
                                                   std::to_string(in.size()));
  const MPI_Datatype type = MpiElement<T>::type();
  for (std::size_t at = 0; at < out.size(); at += kSegmentBytes / sizeof(T)) {
    const std::span<const T> sent = segment(out, at);
    const std::span<T> received = segment(in, at);
    MPI_Status status;
    mpi_check(MPI_Sendrecv(sent.data(), static_cast<int>(sent.size()), type, peer.rank, peer.tag,
                           received.data(), static_cast<int>(received.size()), type, peer.rank,
                           peer.tag, peer.comm, &status),
              "MPI_Sendrecv");
    check_length(status, type, received.size());
    call.tick();
  }
}

}  // namespace

void Communicator::send(std::span<const float> values, int to, int tag) {
  check_peer(impl_->rank, impl_->size, to);
  const Call call(impl_->activity,
                  impl_->uncompared(CallKind::kSend, ElementKind::kFloat, values.size()), to);
  for (std::size_t at = 0; at < values.size(); at += kSegmentBytes / sizeof(float)) {
    const std::span<const float> part = segment(values, at);
    mpi_check(
        MPI_Send(part.data(), static_cast<int>(part.size()), MPI_FLOAT, to, tag, impl_->comm.get()),
        "MPI_Send");
    call.tick();
  }
}

void Communicator::receive(std::span<float> values, int from, int tag) {
  check_peer(impl_->rank, impl_->size, from);
  const Call call(impl_->activity,
                  impl_->uncompared(CallKind::kReceive, ElementKind::kFloat, values.size()), from);
  for (std::size_t at = 0; at < values.size(); at += kSegmentBytes / sizeof(float)) {
    const std::span<float> part = segment(values, at);
    MPI_Status status;
    mpi_check(MPI_Recv(part.data(), static_cast<int>(part.size()), MPI_FLOAT, from, tag,
                       impl_->comm.get(), &status),
              "MPI_Recv");
    check_length(status, MPI_FLOAT, part.size());
    call.tick();
  }
}

void Communicator::exchange(std::span<const float> out, std::span<float> in, int peer, int tag) {
  check_peer(impl_->rank, impl_->size, peer);
  const Call call(impl_->activity,
                  impl_->uncompared(CallKind::kExchange, ElementKind::kFloat, out.size()), peer);
  exchange_segments<float>(call, {impl_->comm.get(), peer, tag}, out, in);
}

void Communicator::exchange(std::span<const double> out, std::span<double> in, int peer, int tag) {
  check_peer(impl_->rank, impl_->size, peer);
  const Call call(impl_->activity,
                  impl_->uncompared(CallKind::kExchange, ElementKind::kDouble, out.size()), peer);
  exchange_segments<double>(call, {impl_->comm.get(), peer, tag}, out, in);
}

PendingReduction Communicator::start_all_reduce(std::span<std::int64_t> values, ReduceOp op) {
  PendingReduction pending;
  pending.impl_ = std::make_unique<PendingReduction::Impl>();
  PendingReduction::Impl& impl = *pending.impl_;
  impl.target = values;
  impl.activity = &impl_->activity;
  impl.call = impl_->uncompared(CallKind::kStepFlags, ElementKind::kInt64, values.size());
  impl.buffer = std::make_unique<std::vector<std::int64_t>>(values.begin(), values.end());
  if (impl_->size > 1) {
    mpi_check(
        MPI_Iallreduce(MPI_IN_PLACE, impl.buffer->data(), static_cast<int>(impl.buffer->size()),
                       MPI_INT64_T, mpi_op(op), impl_->comm.get(), &impl.request),
        "MPI_Iallreduce");
  }
  return pending;
}

PendingReduction::PendingReduction() = default;
PendingReduction::~PendingReduction() = default;
PendingReduction::PendingReduction(PendingReduction&&) noexcept = default;
PendingReduction& PendingReduction::operator=(PendingReduction&&) noexcept = default;

bool PendingReduction::active() const { return impl_ != nullptr; }

void PendingReduction::wait() {
  if (impl_ != nullptr) {
    impl_->finish();
    impl_.reset();
  }
}

void PendingReduction::wait_idly(double interval_s) {
  const auto whole = static_cast<time_t>(interval_s);
  const timespec pause{
      .tv_sec = whole,
      .tv_nsec = static_cast<long>((interval_s - static_cast<double>(whole)) * 1e9)};
  while (impl_ != nullptr && impl_->request != MPI_REQUEST_NULL) {
    int done = 0;
    mpi_check(MPI_Test(&impl_->request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) {
      ::nanosleep(&pause, nullptr);
    }
  }
  wait();
}

void PendingReduction::Impl::finish() {
  if (request != MPI_REQUEST_NULL) {
    const Call waiting(*activity, call);
    mpi_check(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
  }
  std::copy(buffer->begin(), buffer->end(), target.begin());
}

PendingReduction::Impl::~Impl() {
  // Abandoned: a collective cannot be cancelled. Give it a moment (all ranks may have started it),
  // then let MPI keep the buffer: it must never write to memory that is gone.
  constexpr int kPolls = 200;
  for (int i = 0; request != MPI_REQUEST_NULL && mpi_is_running() && i < kPolls; ++i) {
    int done = 0;
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    const timespec millisecond{.tv_sec = 0, .tv_nsec = 1'000'000};
    if (done == 0) {
      ::nanosleep(&millisecond, nullptr);
    }
  }
  if (request != MPI_REQUEST_NULL) {
    static_cast<void>(buffer.release());
  }
}

}  // namespace hepar
