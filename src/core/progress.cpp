#include "hepar/core/progress.h"

#include <cstdio>

#include "hepar/core/log.h"

namespace hepar {
namespace {

constexpr auto kTerminalInterval = std::chrono::milliseconds(200);

std::string clock_text(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(seconds);
  std::snprintf(text, sizeof(text), "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

}  // namespace

Progress::Progress(std::string label, std::int64_t total, bool enabled,
                   std::chrono::seconds plain_interval)
    : label_(std::move(label)),
      total_(total),
      enabled_(enabled),
      terminal_(log::is_terminal()),
      plain_interval_(plain_interval),
      start_(std::chrono::steady_clock::now()),
      drawn_(start_) {}

Progress::~Progress() {
  if (enabled_ && terminal_ && done_ > 0) {
    std::fputc('\n', stderr);
  }
}

void Progress::advance(std::int64_t n, const std::string& note) {
  const std::scoped_lock lock(mutex_);
  done_ += n;
  const auto now = std::chrono::steady_clock::now();
  const bool last = done_ >= total_;
  const bool due = terminal_ ? now - drawn_ >= kTerminalInterval : now - drawn_ >= plain_interval_;
  if (enabled_ && (due || last)) {
    drawn_ = now;
    draw(note, last);
  }
}

void Progress::draw(const std::string& note, bool last) {
  const double seconds = std::chrono::duration<double>(drawn_ - start_).count();
  const double left =
      done_ > 0 ? seconds / static_cast<double>(done_) * static_cast<double>(total_ - done_) : 0;
  const std::string text = label_ + " " + std::to_string(done_) + "/" + std::to_string(total_) +
                           (last ? " in " + clock_text(seconds) : " left " + clock_text(left)) +
                           (note.empty() ? "" : "  " + note);
  if (!terminal_) {
    log::info(text);
    return;
  }
  constexpr int kWidth = 24;
  const auto filled = static_cast<std::size_t>(total_ > 0 ? kWidth * done_ / total_ : kWidth);
  std::fprintf(stderr, "\r[%s%s] %s\x1b[K", std::string(filled, '#').c_str(),
               std::string(kWidth - filled, ' ').c_str(), text.c_str());
  std::fflush(stderr);
}

}  // namespace hepar
