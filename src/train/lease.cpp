#include "hepar/train/lease.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

#include "hepar/core/descriptor.h"
#include "hepar/core/environment_variable.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"

namespace hepar {
namespace {

constexpr int kMissedBeats = 3;

std::string host_name() {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return host;
}

/// When the process started, in clock ticks since boot: tells a process from a later one with its
/// number.
std::string start_time(pid_t pid) {
  try {
    const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 22; ++i) {  // field 22 of proc(5) is starttime; the first two end at ')'
      fields >> field;
    }
    return field;
  } catch (const std::exception&) {
    return "";
  }
}

struct Holder {
  std::int64_t generation = 0;
  std::string host, job, started;
  pid_t pid = 0;
  double heartbeat_s = 0;
  std::int64_t beat = 0;
  bool released = false;
  std::int64_t restart = 0;  ///< how often Slurm had requeued the job
};

Json to_json(const Holder& h) {
  return {{"generation", h.generation},
          {"host", h.host},
          {"job", h.job},
          {"pid", h.pid},
          {"started", h.started},
          {"heartbeat_s", h.heartbeat_s},
          {"beat", h.beat},
          {"released", h.released},
          {"restart", h.restart}};
}

fs::path lease_path(const fs::path& folder, std::int64_t generation) {
  return folder / (std::to_string(generation) + ".json");
}

/// 0 when there is none, or no folder: somebody may have deleted it under a running training.
std::int64_t newest_generation(const fs::path& folder) {
  std::int64_t newest = 0;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const std::string stem = entry.path().stem().string();
    if (!stem.empty() &&
        std::all_of(stem.begin(), stem.end(), [](unsigned char c) { return std::isdigit(c); })) {
      newest = std::max(newest, static_cast<std::int64_t>(std::stoll(stem)));
    }
  }
  return newest;
}

/// The holder of a generation; empty when its file is still being written or is damaged.
std::optional<Holder> read_holder(const fs::path& path) {
  try {
    const Json json = read_json(path);
    const std::string where = path.string();
    Holder h;
    h.generation = json_get<std::int64_t>(json, "generation", where);
    h.host = json_get<std::string>(json, "host", where);
    h.job = json_get<std::string>(json, "job", where);
    h.pid = json_get<pid_t>(json, "pid", where);
    h.started = json_get<std::string>(json, "started", where);
    h.heartbeat_s = json_get<double>(json, "heartbeat_s", where);
    h.beat = json_get<std::int64_t>(json, "beat", where);
    h.released = json_get<bool>(json, "released", where);
    h.restart = json.value("restart", std::int64_t{0});
    return h;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

bool process_lives(const Holder& h) {
  return ::kill(h.pid, 0) == 0 && start_time(h.pid) == h.started;
}

bool known_dead(const Holder& h) { return h.host == host_name() && !process_lives(h); }

std::string own_job() { return environment_variable("SLURM_JOB_ID"); }
std::int64_t own_restart() {
  return std::atoll(environment_variable("SLURM_RESTART_COUNT").c_str());
}

/// Slurm gave this job a new allocation: it has given up the one that the holder was started in,
/// though a node that was cut off may still run it.
bool superseded(const Holder& h) {
  return !h.job.empty() && h.job == own_job() && h.restart < own_restart();
}

/// May be replaced without waiting.
bool known_free(const Holder& h) { return h.released || known_dead(h) || superseded(h); }

std::string text_of(const Holder& h) {
  return "process " + std::to_string(h.pid) + " on " + h.host +
         (h.job.empty() ? "" : ", job " + h.job);
}

/// Returns when the newest holder may be replaced; throws when it is alive.
void wait_until_free(const fs::path& folder, std::int64_t newest, double heartbeat_s,
                     IfHeld if_held) {
  if (newest == 0) {
    return;
  }
  const std::optional<Holder> first = read_holder(lease_path(folder, newest));
  if (first && known_free(*first)) {
    return;
  }
  const std::string held = folder.parent_path().string() + ": held by " +
                           (first ? text_of(*first) : "an unreadable lease");
  require<CommError>(if_held == IfHeld::kWait, held);
  log::info(held + "; waiting " + std::to_string(kMissedBeats) + " beats for a sign of life");
  const double beat_s = std::max(heartbeat_s, first ? first->heartbeat_s : 0);
  std::this_thread::sleep_for(std::chrono::duration<double>(kMissedBeats * beat_s));
  const std::optional<Holder> then = read_holder(lease_path(folder, newest));
  // One that could not be read before was just being written: its holder has only begun.
  const bool beating = then && !known_free(*then) && (!first || then->beat != first->beat);
  require<CommError>(!beating, folder.parent_path().string() + ": another run is writing here: " +
                                   (then ? text_of(*then) : "") +
                                   "; stop it or choose another --out");
}

/// Creates the lease file of `generation`; false when somebody else was first.
bool create_exclusively(const fs::path& path, const Holder& holder) {
  if (!Descriptor(path, O_WRONLY | O_CREAT | O_EXCL).is_open()) {
    require<DataError>(errno == EEXIST, path.string() + ": the lease cannot be created");
    return false;
  }
  write_json(path, to_json(holder));
  return true;
}

}  // namespace

struct Lease::Impl {
  fs::path folder;
  Holder holder;
  std::mutex mutex;
  std::condition_variable_any wake;
  std::function<void()> on_loss;
  std::jthread beating;

  [[nodiscard]] bool current() const { return newest_generation(folder) == holder.generation; }

  void write() { write_json(lease_path(folder, holder.generation), to_json(holder)); }

  /// An exception that left this thread would end the process (SIGABRT).
  void beat(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    const auto pause = std::chrono::duration<double>(holder.heartbeat_s);
    while (!wake.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); })) {
      try {
        if (!current()) {
          if (on_loss) {
            on_loss();
          }
          return;
        }
        ++holder.beat;
        write();
      } catch (const std::exception& e) {
        log::warn(std::string("the lease's heartbeat: ") +
                  e.what());  // a full disk is the next save's to report
      }
    }
  }
};

Lease::Lease(const std::filesystem::path& folder, double heartbeat_s, std::function<void()> on_loss,
             IfHeld if_held)
    : impl_(std::make_unique<Impl>()) {
  impl_->folder = folder / "lease";
  impl_->on_loss = std::move(on_loss);
  make_writable_directory(impl_->folder);
  impl_->holder = {.generation = 0,
                   .host = host_name(),
                   .job = own_job(),
                   .started = start_time(::getpid()),
                   .pid = ::getpid(),
                   .heartbeat_s = heartbeat_s,
                   .beat = 0,
                   .released = false,
                   .restart = own_restart()};
  const std::int64_t newest = newest_generation(impl_->folder);
  wait_until_free(impl_->folder, newest, heartbeat_s, if_held);
  impl_->holder.generation = newest + 1;
  require<CommError>(create_exclusively(lease_path(impl_->folder, newest + 1), impl_->holder),
                     folder.string() + ": another run took this folder at the same moment");
  impl_->beating =
      std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->beat(stop); });
}

Lease::~Lease() {
  impl_->beating.request_stop();
  impl_->wake.notify_all();
  impl_->beating = {};
  try {
    if (impl_->current()) {
      impl_->holder.released = true;
      impl_->write();
    }
  } catch (const std::exception& e) {
    log::warn(std::string("giving back the lease: ") + e.what());
  }
}

std::int64_t Lease::generation() const { return impl_->holder.generation; }

void Lease::check() const {
  const std::int64_t newest = newest_generation(impl_->folder);
  const std::string run = impl_->folder.parent_path().string() + ": this run (generation " +
                          std::to_string(impl_->holder.generation) + ") ";
  require<CommError>(newest > 0, run + "lost its folder: somebody deleted it");
  require<CommError>(newest == impl_->holder.generation, run + "was replaced by generation " +
                                                             std::to_string(newest) +
                                                             "; it must not write any more");
}

namespace {

/// nullopt: its beat will tell.
std::optional<HolderFate> fate_of(const std::optional<Holder>& holder, std::int64_t generation) {
  if (generation == 0) {
    return HolderFate::kGaveBack;
  }
  if (!holder) {
    return std::nullopt;
  }
  if (!known_free(*holder)) {
    return holder->host == host_name() ? std::optional(HolderFate::kAlive) : std::nullopt;
  }
  if (superseded(*holder) || holder->job != own_job()) {
    return HolderFate::kLost;
  }
  return holder->released ? HolderFate::kGaveBack : HolderFate::kDied;
}

}  // namespace

std::vector<HolderFate> holder_fates(const std::vector<std::filesystem::path>& folders) {
  std::vector<HolderFate> fates(folders.size(), HolderFate::kAlive);
  std::vector<std::pair<std::size_t, std::optional<Holder>>> silent;
  double beat_s = 0;
  const auto look = [&](std::size_t i, std::optional<Holder>& holder) {
    const fs::path folder = folders[i] / "lease";
    const std::int64_t newest = newest_generation(folder);
    holder = newest == 0 ? std::nullopt : read_holder(lease_path(folder, newest));
    return fate_of(holder, newest);
  };
  for (std::size_t i = 0; i < folders.size(); ++i) {
    std::optional<Holder> holder;
    if (const auto fate = look(i, holder)) {
      fates[i] = *fate;
    } else {
      beat_s = std::max(beat_s, holder ? holder->heartbeat_s : 1);
      silent.emplace_back(i, holder);
    }
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(kMissedBeats * beat_s));
  for (const auto& [i, before] : silent) {
    std::optional<Holder> holder;
    const auto fate = look(i, holder);
    const bool beats = holder && (!before || holder->generation != before->generation ||
                                  holder->beat != before->beat);
    const bool own = holder && holder->job == own_job();
    fates[i] = fate    ? *fate
               : beats ? HolderFate::kAlive
               : own   ? HolderFate::kDied
                       : HolderFate::kLost;
  }
  return fates;
}

}  // namespace hepar
