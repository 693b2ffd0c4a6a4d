#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hepar {

/// Seconds between two signs of life of a holder, unless a command's configuration says otherwise.
inline constexpr double kHeartbeatS = 5;

/// About a lease whose holder may be alive.
enum class IfHeld {
  kWait,    ///< up to three beats for a sign of life
  kRefuse,  ///< throw at once: somebody else may have it
};

/// The right to write into a run folder: OUT/lease/<generation>.json {generation, host, pid, job,
/// beat}. The highest generation holds it; a background thread rewrites its beat. A successor takes
/// over when the holder's process is gone (same host), has missed three beats, or was started by an
/// earlier allocation of the same Slurm job, by creating generation + 1 exclusively. The holder
/// checks before every rename: a fenced writer throws CommError (exit 4).
class Lease {
 public:
  /// Takes the lease of `folder`. Throws CommError naming host, process and job when somebody else
  /// is alive in it.
  /// `on_loss` is called once, by the heartbeat's thread, when a successor has taken over.
  explicit Lease(const std::filesystem::path& folder, double heartbeat_s = kHeartbeatS,
                 std::function<void()> on_loss = {}, IfHeld if_held = IfHeld::kWait);
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

/// What has become of the process that took a folder's newest lease.
enum class HolderFate {
  kAlive,
  kGaveBack,  ///< or there never was a lease
  kDied,      ///< the process ended, its surroundings did not
  kLost,      ///< it belongs to another Slurm job, or to an allocation before this one's requeue
};

/// Of several folders at once. Waits up to three beats in all where only silence can tell: holders
/// on other hosts.
std::vector<HolderFate> holder_fates(const std::vector<std::filesystem::path>& folders);

}  // namespace hepar
