#pragma once
#include <hepar/train/checkpoint.h>
#include <atomic>
#include <functional>
#include <future>

namespace hepar {

/// Writes checkpoints beside the training. save() copies the tensors into memory that it keeps
/// (pinned, and without waiting, when they are on a GPU) and returns; a thread hashes, writes and
/// syncs the copy. At most one write is in flight. The thread calls neither MPI nor NCCL.
class CheckpointWriter {
 public:
  /// Makes a checkpoint durable before it returns; called by the thread.
  using Write = std::function<void(const Checkpoint&)>;

  explicit CheckpointWriter(Write write);
  /// Waits. An error that nobody has waited for becomes a warning.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  CheckpointWriter(CheckpointWriter&&) = delete;
  CheckpointWriter& operator=(CheckpointWriter&&) = delete;

  /// Gets the memory for such a checkpoint in the background: to touch it for the first time costs
  /// more than to copy.
  void prepare(const Checkpoint& like);

  /// Waits for the write before this one, whose error it throws; afterwards the tensors may change.
  void save(const Checkpoint& checkpoint);

  /// Returns when what was saved last is durable; throws what its write threw, once.
  void wait();

  /// The write has failed: wait() or save() will throw.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void start(std::function<void()> work);

  Write write_;
  Checkpoint kept_;  ///< what the thread reads; only its numbers change from one to the next
  std::atomic<bool> failed_ = false;
  std::future<void> pending_;
};

}  // namespace hepar
