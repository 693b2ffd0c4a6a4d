#include "rank_record.h"

#include <unistd.h>

#include <chrono>

#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

double unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace

std::string RankRecord::who() const { return "rank " + std::to_string(rank) + " on " + host; }

std::string RankRecord::where() const {
  return waits() ? "in " + call + " (" + phase + ")" : "at work (" + phase + ")";
}

fs::path record_path(const fs::path& folder, int rank) {
  return folder / (std::to_string(rank) + ".json");
}

bool write_record(const fs::path& folder, const RankRecord& record, bool create) {
  const Json json{
      {"rank", record.rank},         {"host", record.host},         {"beat", record.beat},
      {"progress", record.progress}, {"sequence", record.sequence}, {"call", record.call},
      {"peer", record.peer},         {"phase", record.phase},       {"time", unix_time()}};
  const std::string text = json.dump() + "\n";
  const auto size = static_cast<ssize_t>(text.size());
  Descriptor file(record_path(folder, record.rank), O_WRONLY | (create ? O_CREAT : 0));
  const bool written = file.is_open() &&
                       ::pwrite(file.get(), text.data(), text.size(), 0) == size &&
                       ::ftruncate(file.get(), size) == 0;
  return file.close() && written;
}

std::optional<RankRecord> read_record(const fs::path& folder, int rank) {
  try {
    const Json json = Json::parse(read_text(record_path(folder, rank)));
    return RankRecord{.rank = json.at("rank"),
                      .host = json.at("host"),
                      .beat = json.at("beat"),
                      .progress = json.at("progress"),
                      .sequence = json.at("sequence"),
                      .call = json.at("call"),
                      .peer = json.at("peer"),
                      .phase = json.at("phase")};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace hepar
