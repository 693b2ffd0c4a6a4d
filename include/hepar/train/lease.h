#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace hepar {

/// The right to write into a run folder: OUT/lease/<generation>.json {generation, host, pid, job,
/// beat}. The highest generation holds it; a background thread rewrites its beat. A successor takes
/// over when the holder's process is gone (same host) or has missed three beats, by creating
/// generation + 1 exclusively. The holder checks before every rename: a fenced writer throws
/// CommError (exit 4).
class Lease {
 public:
  /// Takes the lease of `folder`; waits up to three beats for a silent holder. Throws CommError
  /// naming host, process and job when somebody else is alive in it.
  Lease(const std::filesystem::path& folder, double heartbeat_s);
  ~Lease();  ///< stops the heartbeat and marks the lease as given back
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Lease(Lease&&) = delete;
  Lease& operator=(Lease&&) = delete;

  [[nodiscard]] std::int64_t generation() const;
  /// Throws CommError when a successor has taken over.
  void check() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
