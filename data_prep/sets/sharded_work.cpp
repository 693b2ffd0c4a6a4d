#include "sets/sharded_work.h"

#include <sys/stat.h>

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/io/prepared_writer.h"
#include "sets/from_root.h"

namespace hepar {
namespace {

constexpr const char* kChecksums = "checksums.json";

Json to_json(const std::vector<Problem>& problems) {
  Json json = Json::array();
  for (const Problem& problem : problems) {
    json.push_back({problem.id, problem.text});
  }
  return json;
}

std::vector<Problem> problems_from(const Json& json) {
  std::vector<Problem> problems;
  for (const Json& entry : json) {
    problems.push_back({entry.at(0), entry.at(1)});
  }
  return problems;
}

std::string hash_of_inputs(const std::vector<ShardTask>& tasks) {
  std::string all;
  for (const ShardTask& task : tasks) {
    all += task.inputs + "\n";
  }
  return to_hex(xxh64(all));
}

/// Of the rest of checksums.json, which has no other guard.
std::string hash_of(const Json& files, const std::string& inputs) {
  return to_hex(xxh64(files.dump() + inputs));
}

void write_checksums(const fs::path& folder, const std::string& inputs) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().filename() != kChecksums) {
      files[entry.path().lexically_relative(folder).string()] =
          to_hex(xxh64_of_file(entry.path().string()));
    }
  }
  write_json(folder / kChecksums,
             Json{{"inputs", inputs}, {"files", files}, {"self", hash_of(files, inputs)}});
}

}  // namespace

std::vector<ShardTask> deal_to_shards(const std::vector<std::int64_t>& bytes, std::int64_t limit) {
  std::vector<ShardTask> tasks;
  std::int64_t used = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (tasks.empty() || used + bytes[i] > limit) {
      tasks.emplace_back();
      used = 0;
    }
    tasks.back().items.push_back(i);
    used += bytes[i];
  }
  return tasks;
}

std::string stamp_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return "missing";
  }
  return std::to_string(status.st_size) + ":" + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

Checksums read_checksums(const fs::path& set) {
  const fs::path path = set / kChecksums;
  const Json json = read_json(path);
  Checksums checksums{json_get<std::string>(json, "inputs", path.string()),
                      json_get<std::map<std::string, std::string>>(json, "files", path.string())};
  const std::string wanted = json_get<std::string>(json, "self", path.string());
  require<DataError>(hash_of(checksums.files, checksums.inputs) == wanted,
                     path.string() + ": is damaged: its content does not match its own hash");
  return checksums;
}

SetBuilder::SetBuilder(Options options, Communicator& ranks)
    : options_(std::move(options)), ranks_(ranks) {
  options_.out = options_.out.lexically_normal();
  if (!options_.out.has_filename()) {
    options_.out = options_.out.parent_path();  // "cohort/" is "cohort"
  }
}

fs::path SetBuilder::partial() const { return options_.out.string() + ".partial"; }

fs::path SetBuilder::record_path(std::size_t shard) const {
  return partial() / "records" / (std::to_string(shard) + ".json");
}

fs::path SetBuilder::shard_path(std::size_t shard) const {
  return partial() / shard_file_name(static_cast<int>(shard));
}

bool SetBuilder::already_done(const std::vector<ShardTask>& tasks) {
  const std::string answer = from_root(ranks_, [&]() -> std::string {
    const fs::path& out = options_.out;
    if (fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out))) {
      const bool same =
          fs::exists(out / kChecksums) && read_checksums(out).inputs == hash_of_inputs(tasks);
      require<ConfigError>(same,
                           out.string() +
                               ": is already there and was not made from this input with these "
                               "settings; choose another --out or remove it");
      return "done";
    }
    make_writable_directory(partial());
    make_writable_directory(partial() / "records");
    make_writable_directory(partial() / "shards");
    return "";
  });
  return answer == "done";
}

bool SetBuilder::load(std::size_t shard, const ShardTask& task, ShardResult& result) const {
  if (!fs::exists(record_path(shard))) {
    return false;
  }
  try {
    const Json json = read_json(record_path(shard));
    if (json.at("inputs") != task.inputs || json.at("stamp") != stamp_of(shard_path(shard))) {
      return false;
    }
    result.records = json.at("records");
    result.problems = problems_from(json.at("problems"));
  } catch (const std::exception&) {
    return false;  // a damaged record costs its shard's work again, no more
  }
  return result.problems.empty() || options_.exclude_bad;
}

void SetBuilder::save(std::size_t shard, const ShardTask& task, const ShardResult& result) const {
  write_json(record_path(shard), Json{{"inputs", task.inputs},
                                      {"stamp", stamp_of(shard_path(shard))},
                                      {"problems", to_json(result.problems)},
                                      {"records", result.records}});
}

std::vector<ShardResult> SetBuilder::run(const std::vector<ShardTask>& tasks, const Work& work) {
  const auto size = static_cast<std::size_t>(ranks_.size());
  Json mine = Json::array();
  together(ranks_, [&] {
    std::int64_t items = 0;
    for (std::size_t s = static_cast<std::size_t>(ranks_.rank()); s < tasks.size(); s += size) {
      items += static_cast<std::int64_t>(tasks[s].items.size());
    }
    Progress progress(options_.verb, items, ranks_.is_root());
    for (std::size_t s = static_cast<std::size_t>(ranks_.rank()); s < tasks.size(); s += size) {
      ShardResult result;
      if (load(s, tasks[s], result)) {
        progress.advance(static_cast<std::int64_t>(tasks[s].items.size()), "kept");
      } else {
        result = work(s, progress);
        if (result.problems.empty() || options_.exclude_bad) {
          save(s, tasks[s], result);
        }
      }
      mine.push_back(
          {{"shard", s}, {"records", result.records}, {"problems", to_json(result.problems)}});
    }
  });
  std::vector<ShardResult> results(tasks.size());
  for (const std::string& text : ranks_.all_gather(mine.dump())) {
    for (const Json& entry : Json::parse(text)) {
      ShardResult& result = results.at(entry.at("shard").get<std::size_t>());
      result.records = entry.at("records");
      result.problems = problems_from(entry.at("problems"));
    }
  }
  return results;
}

void SetBuilder::remove_strays(std::size_t shards) const {
  fs::remove_all(partial() / "records");
  std::vector<std::string> wanted;
  for (std::size_t s = 0; s < shards; ++s) {
    wanted.push_back(shard_path(s).filename().string());
  }
  for (const auto& entry : fs::directory_iterator(partial() / "shards")) {
    const std::string name = entry.path().filename().string();
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
      fs::remove(entry.path());  // of an earlier try over other cases, or left by a killed writer
    }
  }
}

void SetBuilder::publish(const std::vector<ShardTask>& tasks, const std::function<void()>& write) {
  from_root(ranks_, [&] {
    write();
    remove_strays(tasks.size());
    write_checksums(partial(), hash_of_inputs(tasks));
    std::error_code error;
    fs::rename(partial(), options_.out, error);
    require<DataError>(!error, options_.out.string() + ": renaming " + partial().string() +
                                   " to it failed: " + error.message());
    sync_path(options_.out.has_parent_path() ? options_.out.parent_path() : fs::path("."));
    return std::string();
  });
}

void refuse_problems(const SetBuilder::Options& options, std::vector<Problem> problems,
                     std::size_t of_items) {
  if (problems.empty()) {
    return;
  }
  std::sort(problems.begin(), problems.end());
  std::string text = options.verb + ": " + std::to_string(problems.size()) + " problem" +
                     (problems.size() == 1 ? "" : "s") + " among " + std::to_string(of_items) +
                     " cases; " + options.out.string() + " is not written:";
  for (const Problem& problem : problems) {
    text += "\n  " + problem.id + ": " + problem.text;
  }
  text +=
      "\nMend the files and run the same command again (finished shards are kept), or leave these "
      "cases out with --exclude-bad.";
  throw AgreedError(text, ExitCode::kBadData);
}

}  // namespace hepar
