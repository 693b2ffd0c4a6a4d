#include "hepar/core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>

namespace hepar::log {
namespace {

struct State {
  State() {
    logger->set_pattern("%H:%M:%S %v");
    logger->flush_on(spdlog::level::info);
  }
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("hepar", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  std::string prefix;
  std::atomic<bool> root{true};
  std::atomic<bool> quiet{false};
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

void set_rank(int rank, int size) {
  State& s = state();
  s.root = rank == 0;
  if (size > 1) {
    char host[256] = "";
    ::gethostname(host, sizeof(host) - 1);
    s.prefix = "[rank " + std::to_string(rank) + "/" + std::to_string(size) + " " + host + "] ";
  }
}

void set_quiet(bool quiet) { state().quiet = quiet; }

void info(const std::string& text) {
  State& s = state();
  if (s.root && !s.quiet) {
    s.logger->info("{}", text);
  }
}

void warn(const std::string& text) {
  State& s = state();
  s.logger->warn("{}warning: {}", s.prefix, text);
}

void error(const std::string& text) {
  State& s = state();
  s.logger->error("{}error: {}", s.prefix, text);
}

bool is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

}  // namespace hepar::log
