#include "hepar/comm/communicator.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "communicator_impl.h"
#include "start_guard.h"

namespace hepar {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

template <class T>
void all_reduce_segments(const Call& call, MPI_Comm comm, std::span<T> values, MPI_Op op) {
  constexpr std::size_t kStep = kSegmentBytes / sizeof(T);
  for (std::size_t at = 0; at < values.size(); at += kStep) {
    const std::span<T> part = values.subspan(at, std::min(kStep, values.size() - at));
    mpi_check(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()),
                            MpiElement<T>::type(), op, comm),
              "MPI_Allreduce");
    call.tick();
  }
}

void broadcast_segments(MPI_Comm comm, std::span<std::byte> bytes, int root) {
  constexpr std::size_t kStep = 64 * kSegmentBytes;
  for (std::size_t at = 0; at < bytes.size(); at += kStep) {
    const std::span<std::byte> part = bytes.subspan(at, std::min(kStep, bytes.size() - at));
    mpi_check(MPI_Bcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, comm),
              "MPI_Bcast");
  }
}

std::string broadcast_text(MPI_Comm comm, const std::string& text, int root, int rank) {
  std::int64_t length = static_cast<std::int64_t>(text.size());
  mpi_check(MPI_Bcast(&length, 1, MPI_INT64_T, root, comm), "MPI_Bcast");
  std::string answer = rank == root ? text : std::string(static_cast<std::size_t>(length), '\0');
  broadcast_segments(comm, std::as_writable_bytes(std::span(answer)), root);
  return answer;
}

/// Takes a communicator that MPI just made for us; its errors are returned, not fatal.
CommHandle owned(MPI_Comm raw) {
  CommHandle handle(raw);
  mpi_check(MPI_Comm_set_errhandler(handle.get(), MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return handle;
}

/// Ranks of `local` whose processors meet this rank's. Collective.
int count_sharers(MPI_Comm local, int local_size) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  ::sched_getaffinity(0, sizeof(mine), &mine);  // where it fails nobody shares: all are empty
  std::vector<cpu_set_t> all(static_cast<std::size_t>(local_size));
  mpi_check(MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all.data(), sizeof(mine), MPI_BYTE, local),
            "MPI_Allgather");
  const auto sharers = std::count_if(all.begin(), all.end(), [&](const cpu_set_t& other) {
    cpu_set_t both;
    CPU_AND(&both, &mine, &other);
    return CPU_COUNT(&both) > 0;
  });
  return std::max(1, static_cast<int>(sharers));
}

}  // namespace

MPI_Op mpi_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::kMax:
      return MPI_MAX;
    case ReduceOp::kMin:
      return MPI_MIN;
    default:
      return MPI_SUM;
  }
}

void CommTraits::release(MPI_Comm comm) noexcept {
  // Freeing is collective: never while an exception unwinds, when other ranks may be elsewhere.
  if (mpi_is_running() && std::uncaught_exceptions() == 0) {
    MPI_Comm_free(&comm);
  }
}

std::unique_ptr<Communicator::Impl> Communicator::Impl::adopt(CommHandle comm) {
  auto impl = std::make_unique<Impl>();
  impl->host = host_name();
  mpi_check(MPI_Comm_rank(comm.get(), &impl->rank), "MPI_Comm_rank");
  mpi_check(MPI_Comm_size(comm.get(), &impl->size), "MPI_Comm_size");
  if (impl->size > 1) {
    MPI_Comm raw = MPI_COMM_NULL;
    mpi_check(
        MPI_Comm_split_type(comm.get(), MPI_COMM_TYPE_SHARED, impl->rank, MPI_INFO_NULL, &raw),
        "MPI_Comm_split_type");
    const CommHandle local = owned(raw);
    mpi_check(MPI_Comm_rank(local.get(), &impl->local_rank), "MPI_Comm_rank");
    mpi_check(MPI_Comm_size(local.get(), &impl->local_size), "MPI_Comm_size");
    impl->local_sharers = count_sharers(local.get(), impl->local_size);
    impl->comm = std::move(comm);
  }
  return impl;
}

Call Communicator::Impl::enter(Signature signature) {
  if (size == 1) {
    return {};
  }
  int main_thread = 0;
  mpi_check(MPI_Is_thread_main(&main_thread), "MPI_Is_thread_main");
  require<CommError>(main_thread != 0, "rank " + std::to_string(rank) + ": " +
                                           signature.describe() +
                                           " was not made by the main thread");
  signature.sequence = sequence++;
  Call call(activity, signature);
  compare_signatures(comm.get(), signature);
  return call;
}

Signature Communicator::Impl::uncompared(CallKind kind, ElementKind element,
                                         std::size_t length) const {
  return {.call = kind,
          .element = element,
          .length = static_cast<std::int64_t>(length),
          .sequence = sequence > 0 ? sequence - 1 : 0};
}

Communicator::Communicator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Communicator::~Communicator() = default;
Communicator::Communicator(Communicator&&) noexcept = default;
Communicator& Communicator::operator=(Communicator&&) noexcept = default;

Communicator Communicator::world() {
  require<CommError>(mpi_is_running(),
                     "Communicator::world() outside MpiEnvironment: MPI is not running");
  const StartGuard guard(rank_and_host());
  MPI_Comm raw = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &raw), "MPI_Comm_dup");
  return Communicator(Impl::adopt(owned(raw)));
}

Communicator Communicator::self() {
  auto impl = std::make_unique<Impl>();
  impl->host = host_name();
  return Communicator(std::move(impl));
}

int Communicator::rank() const { return impl_->rank; }
int Communicator::size() const { return impl_->size; }
int Communicator::local_rank() const { return impl_->local_rank; }
int Communicator::local_size() const { return impl_->local_size; }
int Communicator::local_sharers() const { return impl_->local_sharers; }
const std::string& Communicator::host() const { return impl_->host; }
CommActivity Communicator::activity() const { return impl_->activity.read(); }

void Communicator::barrier() {
  // The comparison itself is a collective that no rank leaves before all have entered.
  const Call call = impl_->enter({.call = CallKind::kBarrier});
}

namespace {

template <class T>
Signature all_reduce_signature(std::span<T> values, ReduceOp op) {
  return {.call = CallKind::kAllReduce,
          .element = MpiElement<T>::kKind,
          .op = static_cast<int>(op),
          .length = static_cast<std::int64_t>(values.size())};
}

}  // namespace

void Communicator::all_reduce(std::span<double> values, ReduceOp op) {
  if (const Call call = impl_->enter(all_reduce_signature(values, op))) {
    all_reduce_segments(call, impl_->comm.get(), values, mpi_op(op));
  }
}

void Communicator::all_reduce(std::span<float> values, ReduceOp op) {
  if (const Call call = impl_->enter(all_reduce_signature(values, op))) {
    all_reduce_segments(call, impl_->comm.get(), values, mpi_op(op));
  }
}

void Communicator::all_reduce(std::span<std::int64_t> values, ReduceOp op) {
  if (const Call call = impl_->enter(all_reduce_signature(values, op))) {
    all_reduce_segments(call, impl_->comm.get(), values, mpi_op(op));
  }
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) {
  if (const Call call = impl_->enter({.call = CallKind::kBroadcast,
                                      .root = root,
                                      .length = static_cast<std::int64_t>(bytes.size())})) {
    broadcast_segments(impl_->comm.get(), bytes, root);
  }
}

std::string Communicator::broadcast(const std::string& text, int root) {
  const Call call = impl_->enter({.call = CallKind::kBroadcast, .root = root});
  if (!call) {
    return text;
  }
  return broadcast_text(impl_->comm.get(), text, root, impl_->rank);
}

std::vector<std::string> Communicator::all_gather(const std::string& text) {
  const Call call = impl_->enter({.call = CallKind::kAllGather});
  if (!call) {
    return {text};
  }
  // By broadcasts: the texts are small or differ much in length, and counts stay clear of MPI's
  // int.
  std::vector<std::string> texts;
  for (int root = 0; root < impl_->size; ++root) {
    texts.push_back(broadcast_text(impl_->comm.get(), text, root, impl_->rank));
  }
  return texts;
}

Communicator Communicator::split(int colour) {
  const Call call = impl_->enter({.call = CallKind::kSplit});
  if (!call) {
    return self();
  }
  MPI_Comm raw = MPI_COMM_NULL;
  mpi_check(MPI_Comm_split(impl_->comm.get(), colour, impl_->rank, &raw), "MPI_Comm_split");
  return Communicator(Impl::adopt(owned(raw)));
}

void Communicator::agree(const std::string& problem, int exit_code) {
  const auto code = static_cast<ExitCode>(exit_code);
  const Call call = impl_->enter({.call = CallKind::kAgree});
  if (!call) {
    if (!problem.empty()) {
      throw AgreedError(problem, code);
    }
    return;
  }
  const MPI_Comm comm = impl_->comm.get();
  int first = problem.empty() ? impl_->size : impl_->rank;
  mpi_check(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm), "MPI_Allreduce");
  if (first == impl_->size) {
    return;
  }
  const std::string text = broadcast_text(comm, problem, first, impl_->rank);
  int agreed = static_cast<int>(code);
  mpi_check(MPI_Bcast(&agreed, 1, MPI_INT, first, comm), "MPI_Bcast");
  throw AgreedError("[rank " + std::to_string(first) + "] " + text, static_cast<ExitCode>(agreed));
}

}  // namespace hepar
