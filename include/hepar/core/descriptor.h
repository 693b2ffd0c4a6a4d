#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace hepar {

/// An open file of the operating system, closed on every way out.
class Descriptor {
 public:
  Descriptor() = default;
  /// open(2) with O_CLOEXEC, mode 0644. Throws nothing: errno says why a file is not open.
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() { (void)close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int get() const { return fd_; }
  /// False, with errno, when the system reports a failure: network file systems say only here that
  /// a disk is full.
  [[nodiscard]] bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace hepar
