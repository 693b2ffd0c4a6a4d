#include "experiment/progress_of.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "hepar/core/files.h"

namespace hepar::detail {
namespace {

/// The last whole line of a file that is being appended to.
std::string last_line(const fs::path& file) {
  constexpr std::streamoff kTail = 4096;
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream.good()) {
    return "";
  }
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(0, size - kTail));
  std::string line, last;
  while (std::getline(stream, line)) {
    if (!stream.eof()) {  // a line without its end is still being written
      last = line;
    }
  }
  return last;
}

}  // namespace

std::string label(const Trial& trial) {
  return trial.stage + (trial.axes.empty() ? "" : " (" + to_string(trial.axes) + ")");
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  std::array<char, 48> text{};
  if (whole >= 3600) {
    std::snprintf(text.data(), text.size(), "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
  } else if (whole >= 60) {
    std::snprintf(text.data(), text.size(), "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  }
  return text.data();
}

std::string progress_of(const TrialStore& store, const Trial& trial) {
  const Json record = Json::parse(last_line(store.output(trial) / "metrics.jsonl"), nullptr, false);
  if (trial.steps > 0 && record.is_object() && record.contains("step")) {
    return "step " + record["step"].dump() + " of " +
           std::to_string(trial.first_step + trial.steps);
  }
  std::error_code missing;
  const auto begun = fs::last_write_time(store.trial_folder(trial.id) / "command.txt", missing);
  if (missing) {
    return "";
  }
  const auto age = fs::file_time_type::clock::now() - begun;
  return "for " + duration_text(std::chrono::duration<double>(age).count());
}

}  // namespace hepar::detail
