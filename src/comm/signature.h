#pragma once
#include <mpi.h>

#include <array>
#include <cstdint>
#include <string>

namespace hepar {

enum class CallKind : std::uint8_t {
  kBarrier,
  kAllReduce,
  kBroadcast,
  kAllGather,
  kSplit,
  kAgree,
  // Never compared, only described:
  kSend,
  kReceive,
  kExchange,
  kStepFlags
};
enum class ElementKind : std::uint8_t { kByte, kFloat, kDouble, kInt64 };

/// What a rank is about to do: 16 bytes, compared before each blocking collective.
struct Signature {
  CallKind call = CallKind::kBarrier;
  ElementKind element = ElementKind::kByte;
  int op = 0;                  ///< ReduceOp as a number
  int root = 0;                ///< broadcasts only
  std::int64_t length = 0;     ///< elements; 0 where lengths may differ
  std::uint32_t sequence = 0;  ///< how many collectives this group made before

  /// The 16 bytes as two non-negative numbers.
  [[nodiscard]] std::array<std::int64_t, 2> pack() const;
  static Signature unpack(const std::array<std::int64_t, 2>& words);
  /// "call 7: all_reduce(12 float32, sum)".
  [[nodiscard]] std::string describe() const;
};

/// Compares the signatures of all ranks of `comm`. Collective. On a difference every rank throws
/// CommError with its own call and that of the lowest rank that differs.
void compare_signatures(MPI_Comm comm, const Signature& mine);

}  // namespace hepar
