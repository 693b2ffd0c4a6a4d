#include "run_folder.h"

#include <sstream>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"

namespace hepar {
namespace {

void refuse_difference(const Json& state, const std::string& key, const Json& now,
                       const std::string& where) {
  const Json then = json_get<Json>(state, key, where);
  require<ConfigError>(then == now, where + ": this run was started with another " + key +
                                        ": there " + then.dump() + ", now " + now.dump() +
                                        "; use the same or choose another --out");
}

void warn_difference(const Json& state, const std::string& key, const Json& now,
                     const std::string& where) {
  const Json then = json_get<Json>(state, key, where);
  if (then != now) {
    log::warn(where + ": continued with another " + key + " (there " + then.dump() + ", now " +
              now.dump() + "): the weights will not be bit-identical to an uninterrupted run");
  }
}

}  // namespace

Json to_json(const RunSettings& settings) {
  return {{"config", settings.config},       {"plan_hash", settings.plan_hash},
          {"data_hash", settings.data_hash}, {"code_version", settings.code_version},
          {"reduction", settings.reduction}, {"shards", settings.shards},
          {"threads", settings.threads},     {"cpu", settings.cpu}};
}

void check_continues(const RunSettings& now, const Json& state, const std::string& where) {
  const Json current = to_json(now);
  for (const char* key : {"config", "plan_hash", "data_hash", "reduction", "shards"}) {
    refuse_difference(state, key, current[key], where);
  }
  for (const char* key : {"threads", "cpu", "code_version"}) {
    warn_difference(state, key, current[key], where);
  }
}

void trim_metrics(const std::filesystem::path& file, std::int64_t step) {
  if (!fs::exists(file)) {
    return;
  }
  std::istringstream lines(read_text(file));
  std::string kept, line;
  while (std::getline(lines, line)) {
    const Json record = Json::parse(line, nullptr, false);  // a kill may have cut the last line
    if (!record.is_discarded() && record.value("step", step + 1) <= step) {
      kept += line + "\n";
    }
  }
  write_atomically(file, kept);
}

}  // namespace hepar
