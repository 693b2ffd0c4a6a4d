#pragma once
#include <hepar/core/error.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hepar {

enum class ReduceOp { kSum, kMax, kMin };

/// What agree() throws: every rank has the same error, so all may leave normally with its code.
/// Rank 0 prints it.
class AgreedError : public Error {
 public:
  using Error::Error;
};

/// A non-blocking reduction under way; wait() before the buffers are touched.
class PendingReduction {
 public:
  PendingReduction();
  ~PendingReduction();
  PendingReduction(PendingReduction&&) noexcept;
  PendingReduction& operator=(PendingReduction&&) noexcept;
  PendingReduction(const PendingReduction&) = delete;
  PendingReduction& operator=(const PendingReduction&) = delete;
  void wait();
  /// The same for long waits: looks every `interval_s` and sleeps between, so that the processor is
  /// left to others. wait() answers within microseconds and spins.
  void wait_idly(double interval_s = 0.01);
  [[nodiscard]] bool active() const;

 private:
  friend class Communicator;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a rank does with MPI at a moment.
struct CommActivity {
  std::uint64_t progress = 0;  ///< grows with every call, and with every piece of a message
  std::uint32_t sequence = 0;  ///< of the last call: equal on ranks that are equally far
  std::string call;            ///< that the rank is in; empty: none
  int peer = -1;               ///< the rank that this call waits for; −1: all of the group
};

/// A group of MPI ranks. Collective members: all ranks of the group, same order, same sizes; a
/// signature of each call (what, type, length) is compared first and a mismatch is a CommError that
/// names rank and call. Main thread only. Move-only; the handle is duplicated, so our messages
/// never meet another library's.
class Communicator {
 public:
  static Communicator world();
  static Communicator self();  ///< one rank, this one; valid without MPI traffic
  ~Communicator();
  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  [[nodiscard]] bool is_root() const { return rank() == 0; }
  [[nodiscard]] int local_rank() const;  ///< among the ranks on this host
  [[nodiscard]] int local_size() const;
  /// Ranks on this host, this one too, that may use a processor of this rank's: all of them where
  /// nobody is bound, 1 where each rank has its own.
  [[nodiscard]] int local_sharers() const;
  [[nodiscard]] const std::string& host() const;

  /// The one member that any thread may call.
  [[nodiscard]] CommActivity activity() const;

  void barrier();
  /// In place, in 1 MiB segments.
  void all_reduce(std::span<double> values, ReduceOp op);
  void all_reduce(std::span<float> values, ReduceOp op);
  void all_reduce(std::span<std::int64_t> values, ReduceOp op);
  /// Small flags that travel while the step computes; no signature exchange (it carries one).
  PendingReduction start_all_reduce(std::span<std::int64_t> values, ReduceOp op);
  void broadcast(std::span<std::byte> bytes, int root);
  std::string broadcast(const std::string& text, int root);
  /// Texts of all ranks, by rank, on every rank.
  std::vector<std::string> all_gather(const std::string& text);

  // Point to point, for the reduction tree; no signature.
  void send(std::span<const float> values, int to, int tag);
  void receive(std::span<float> values, int from, int tag);
  /// Sends `out` to `peer` and receives `in` (same length) from it at once, in 1 MiB segments. Both
  /// call it.
  void exchange(std::span<const float> out, std::span<float> in, int peer, int tag);
  void exchange(std::span<const double> out, std::span<double> in, int peer, int tag);

  /// Ranks with one `colour` become a group, ordered by this communicator's rank.
  Communicator split(int colour);

  /// All ranks leave by one door: `problem` empty on ranks that are well. When any has a problem,
  /// every rank throws an AgreedError of the lowest such rank's code whose text is that rank's,
  /// with "[rank r]" before it (without, in a group of one).
  void agree(const std::string& problem, int exit_code = 1);

 private:
  struct Impl;
  explicit Communicator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
