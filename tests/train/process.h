#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace hepar::test {

/// A process of its own that runs `body`, whose result is its exit code; killed at the end of the
/// test. Its body says "ready" with tell() and is spoken to with poke(), which ends its wait().
class Process {
 public:
  explicit Process(const std::function<int(Process&)>& body) {
    EXPECT_EQ(::pipe(up_), 0);
    EXPECT_EQ(::pipe(down_), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      int code = 99;  // threw
      try {
        code = body(*this);
      } catch (const std::exception&) {
      }
      ::_exit(code);
    }
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      join();
    }
    for (const int end : {up_[0], up_[1], down_[0], down_[1]}) {
      ::close(end);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process(Process&&) = delete;
  Process& operator=(Process&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  /// In the child: tell() and wait(); in the parent: wait_ready() and poke().
  void tell() const { put(up_[1]); }
  void wait() const { take(down_[0]); }
  void wait_ready() const { take(up_[0]); }
  void poke() const { put(down_[1]); }

  /// Exit code, or minus the signal that ended it.
  int join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static void put(int end) {
    const char byte = 1;
    EXPECT_EQ(::write(end, &byte, 1), 1);
  }
  static void take(int end) {
    char byte = 0;
    EXPECT_EQ(::read(end, &byte, 1), 1);
  }

  pid_t pid_ = -1;
  int up_[2] = {-1, -1}, down_[2] = {-1, -1};
};

}  // namespace hepar::test
