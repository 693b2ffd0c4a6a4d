// What a trial wrote: hashed when it is done, compared before it is used.
#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/pipeline/trial_store.h"

namespace hepar {
namespace {

std::int64_t time_of(const fs::path& file) {
  return fs::last_write_time(file).time_since_epoch().count();
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

/// Regular files of one result (a file or a folder), sorted.
void add_files(const fs::path& path, std::vector<fs::path>& files) {
  if (!fs::is_directory(path)) {
    files.push_back(path);
    return;
  }
  for (auto entry = fs::recursive_directory_iterator(path);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(entry->path());
    }
  }
}

std::vector<fs::path> result_files(const Trial& trial, const fs::path& output) {
  std::vector<fs::path> files;
  if (trial.results.empty()) {
    add_files(output, files);
  }
  for (const std::string& part : trial.results) {
    add_files(output / part, files);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

void TrialStore::record_outputs(const Trial& trial, TrialOutcome& outcome) const {
  const fs::path base = trial_folder(trial.id);
  Xxh64 all;
  outcome.outputs = Json::array();
  for (const fs::path& file : result_files(trial, output(trial))) {
    require<DataError>(fs::exists(file), file.string() + ": '" + trial.command +
                                             "' ended well but did not write this");
    const std::string name = file.lexically_relative(base).generic_string();
    const std::string hash = to_hex(xxh64_of_file(file.string()));
    const std::string line = name + " " + hash + "\n";
    all.update(std::as_bytes(std::span(line)));
    outcome.outputs.push_back(
        {{"path", name}, {"bytes", fs::file_size(file)}, {"time", time_of(file)}, {"xxh64", hash}});
  }
  outcome.output_hash = to_hex(all.digest());
}

std::vector<std::string> TrialStore::changed_outputs(const Trial& trial) const {
  const std::optional<TrialOutcome> then = outcome(trial.id);
  if (!then) {
    return {trial_folder(trial.id).string() + ": outcome.json is missing"};
  }
  std::vector<std::string> changed;
  for (const Json& record : then->outputs) {
    const fs::path file = trial_folder(trial.id) / record.at("path").get<std::string>();
    if (!fs::exists(file)) {
      changed.push_back(file.string() + ": is gone");
      continue;
    }
    const bool same_stamp = fs::file_size(file) == record.at("bytes").get<std::uintmax_t>() &&
                            time_of(file) == record.at("time").get<std::int64_t>();
    if (!same_stamp && to_hex(xxh64_of_file(file.string())) != record.at("xxh64")) {
      changed.push_back(file.string() + ": was written again after the trial was done");
    }
  }
  return changed;
}

}  // namespace hepar
