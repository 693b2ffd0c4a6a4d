#include "signature.h"

#include <vector>

#include "hepar/core/error.h"
#include "mpi_call.h"

namespace hepar {
namespace {

// Bit fields of the first word; together 60 bits, so that the word can be negated.
constexpr int kRootShift = 32;
constexpr int kOpShift = 52;
constexpr int kElementShift = 54;
constexpr int kCallShift = 56;

const char* name_of(ElementKind element) {
  constexpr std::array<const char*, 4> kNames{"bytes", "float32", "float64", "int64"};
  return kNames.at(static_cast<std::size_t>(element));
}

const char* name_of_op(int op) {
  constexpr std::array<const char*, 4> kNames{"sum", "max", "min", "unknown"};
  return kNames.at(static_cast<std::size_t>(op));
}

[[noreturn]] void throw_mismatch(MPI_Comm comm, const Signature& mine) {
  int rank = 0;
  int size = 1;
  mpi_check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
  mpi_check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
  const std::array<std::int64_t, 2> words = mine.pack();
  std::vector<std::array<std::int64_t, 2>> all(static_cast<std::size_t>(size));
  mpi_check(MPI_Allgather(words.data(), 2, MPI_INT64_T, all.data(), 2, MPI_INT64_T, comm),
            "MPI_Allgather");
  int other = 0;
  while (all[static_cast<std::size_t>(other)] == words) {
    ++other;
  }
  throw CommError("rank " + std::to_string(rank) + " of " + std::to_string(size) +
                  ": the ranks are at different collectives: this rank is at " + mine.describe() +
                  ", rank " + std::to_string(other) + " is at " +
                  Signature::unpack(all[static_cast<std::size_t>(other)]).describe() +
                  "; all ranks of a group must make the same calls in the same order");
}

}  // namespace

std::array<std::int64_t, 2> Signature::pack() const {
  const std::int64_t word = static_cast<std::int64_t>(sequence) |
                            (static_cast<std::int64_t>(root) << kRootShift) |
                            (static_cast<std::int64_t>(op) << kOpShift) |
                            (static_cast<std::int64_t>(element) << kElementShift) |
                            (static_cast<std::int64_t>(call) << kCallShift);
  return {word, length};
}

Signature Signature::unpack(const std::array<std::int64_t, 2>& words) {
  Signature s;
  s.sequence = static_cast<std::uint32_t>(words[0] & 0xFFFFFFFF);
  s.root = static_cast<int>((words[0] >> kRootShift) & 0xFFFFF);
  s.op = static_cast<int>((words[0] >> kOpShift) & 3);
  s.element = static_cast<ElementKind>((words[0] >> kElementShift) & 3);
  s.call = static_cast<CallKind>((words[0] >> kCallShift) & 15);
  s.length = words[1];
  return s;
}

std::string Signature::describe() const {
  const std::string elements = std::to_string(length) + " " + name_of(element);
  std::string text = "call " + std::to_string(sequence) + ": ";
  switch (call) {
    case CallKind::kBarrier:
      return text + "barrier()";
    case CallKind::kAllReduce:
      return text + "all_reduce(" + elements + ", " + name_of_op(op) + ")";
    case CallKind::kBroadcast:
      return text + "broadcast(" + (length == 0 ? "text" : elements) + ", root " +
             std::to_string(root) + ")";
    case CallKind::kAllGather:
      return text + "all_gather(text)";
    case CallKind::kSplit:
      return text + "split()";
    case CallKind::kAgree:
      return text + "agree()";
    case CallKind::kSend:
      return text + "send(" + elements + ")";
    case CallKind::kReceive:
      return text + "receive(" + elements + ")";
    case CallKind::kExchange:
      return text + "exchange(" + elements + ")";
    case CallKind::kStepFlags:
      return text + "the end of all_reduce(" + elements + "), begun before";
  }
  return text + "an unknown call";
}

void compare_signatures(MPI_Comm comm, const Signature& mine) {
  // One MAX over each word and its negative gives the maximum and the minimum of all ranks.
  const std::array<std::int64_t, 2> words = mine.pack();
  std::array<std::int64_t, 4> extremes{words[0], -words[0], words[1], -words[1]};
  mpi_check(MPI_Allreduce(MPI_IN_PLACE, extremes.data(), 4, MPI_INT64_T, MPI_MAX, comm),
            "MPI_Allreduce");
  if (extremes[0] != -extremes[1] || extremes[2] != -extremes[3]) {
    throw_mismatch(comm, mine);
  }
}

}  // namespace hepar
