#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace hepar {

/// A progress bar on a terminal; elsewhere a plain line at most every `plain_interval`.
/// Thread-safe.
class Progress {
 public:
  Progress(std::string label, std::int64_t total, bool enabled = true,
           std::chrono::seconds plain_interval = std::chrono::seconds(10));
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;

  /// Adds `n` finished items; `note` is shown behind the bar ("loss 0.31").
  void advance(std::int64_t n = 1, const std::string& note = "");

 private:
  void draw(const std::string& note, bool last);

  std::string label_;
  std::int64_t total_;
  bool enabled_;
  bool terminal_;
  std::chrono::seconds plain_interval_;
  std::chrono::steady_clock::time_point start_, drawn_;
  std::int64_t done_ = 0;
  std::mutex mutex_;
};

}  // namespace hepar
