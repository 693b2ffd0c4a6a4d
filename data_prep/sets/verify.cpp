#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "hepar/io/prepared_writer.h"
#include "hepar/io/shard.h"
#include "hepar/prep/sets.h"
#include "sets/arrays.h"
#include "sets/from_root.h"
#include "sets/sharded_work.h"

namespace hepar {
namespace {

/// One check of one file; several ranks share the list.
using Check = std::function<void()>;

struct Checklist {
  std::vector<Check> checks;
  std::vector<std::string> problems;

  /// Runs every size-th check and keeps what they throw.
  void run(int rank, int size) {
    for (auto i = static_cast<std::size_t>(rank); i < checks.size();
         i += static_cast<std::size_t>(size)) {
      attempt(checks[i]);
    }
  }

  void attempt(const Check& check) {
    try {
      check();
    } catch (const std::exception& e) {
      problems.emplace_back(e.what());
    }
  }
};

void check_file(const fs::path& path, const std::string& wanted) {
  const std::string found = to_hex(xxh64_of_file(path.string()));
  require<DataError>(found == wanted, path.string() + ": the file is damaged: wanted hash " +
                                          wanted + ", found " + found);
}

void check_cohort_shard(const fs::path& folder, const Manifest& manifest, int shard,
                        Checklist& list) {
  const ShardRecord& record = manifest.shards[static_cast<std::size_t>(shard)];
  const ShardReader reader(folder / record.file);
  IndexHash index;
  for (const CaseRecord& item : manifest.cases) {
    if (item.shard != shard) {
      continue;
    }
    index.add_case(item);
    for (const SequenceRecord& sequence : item.sequences) {
      list.attempt([&] { read_array(reader, sequence.image, sequence.grid); });
      if (sequence.mask) {
        list.attempt([&] { read_array(reader, *sequence.mask, sequence.grid); });
      }
    }
  }
  require<DataError>(index.digest() == record.hash, (folder / "manifest.json").string() +
                                                        ": the arrays of " + record.file +
                                                        " are not those it was written with");
}

void check_array(const ShardReader& reader, const std::string& dataset, const std::string& wanted) {
  const std::string found = to_hex(xxh64(reader.read(dataset)));
  require<DataError>(found == wanted, reader.path().string() + ":" + dataset +
                                          ": is damaged: wanted hash " + wanted + ", found " +
                                          found);
}

void check_prepared_shard(const PreparedSet& set, int shard, Checklist& list) {
  const ShardReader reader(set.folder() / shard_file_name(shard));
  for (const PreparedCase& item : set.cases()) {
    if (item.shard != shard) {
      continue;
    }
    const std::string group = "/cases/" + std::to_string(item.position);
    list.attempt([&] { check_array(reader, group + "/image", item.image_hash); });
    if (item.has_labels) {
      list.attempt([&] { check_array(reader, group + "/labels", item.labels_hash); });
    }
    for (const auto& entry : item.label_counts) {
      const std::string foreground = group + "/foreground_" + std::to_string(entry.first);
      const auto datasets = reader.datasets();
      if (std::find(datasets.begin(), datasets.end(), foreground) != datasets.end()) {
        list.attempt([&] { (void)reader.read(foreground); });
      }
    }
  }
}

/// The checks of a whole set; `list` must outlive them.
void fill(const fs::path& folder, Checklist& list) {
  list.attempt([&] {
    if (fs::exists(folder / "checksums.json")) {
      for (const auto& [file, hash] : read_checksums(folder).files) {
        list.checks.emplace_back([path = folder / file, hash = hash] { check_file(path, hash); });
      }
    }
  });
  if (kind_of_set(folder) == SetKind::kCohort) {
    const auto manifest = std::make_shared<Manifest>(read_manifest(folder));
    for (int shard = 0; shard < static_cast<int>(manifest->shards.size()); ++shard) {
      list.checks.emplace_back([=, &list] { check_cohort_shard(folder, *manifest, shard, list); });
    }
    return;
  }
  const auto set = std::make_shared<PreparedSet>(folder);
  int last = -1;
  for (const PreparedCase& item : set->cases()) {
    last = std::max(last, item.shard);
  }
  for (int shard = 0; shard <= last; ++shard) {
    list.checks.emplace_back([=, &list] { check_prepared_shard(*set, shard, list); });
  }
}

}  // namespace

SetKind kind_of_set(const std::filesystem::path& folder) {
  if (fs::exists(folder / "manifest.json")) {
    return SetKind::kCohort;
  }
  require<DataError>(
      fs::exists(folder / "prepared.json"),
      folder.string() + ": wanted a set: a folder with manifest.json (a cohort) or prepared.json");
  return SetKind::kPrepared;
}

void VerifyConfig::declare(ConfigSchema& schema) {
  schema.add("data", data, "The cohort or prepared set", {}, Effect::kNone);
}

void verify(const VerifyConfig& config, Communicator& ranks) {
  Checklist list;
  // An index that cannot be read is itself damage, to be told beside the file checks.
  list.attempt([&] { fill(config.data, list); });
  list.run(ranks.rank(), ranks.size());
  std::vector<std::string> problems;
  for (const std::string& text : ranks.all_gather(Json(list.problems).dump())) {
    const auto found = Json::parse(text).get<std::vector<std::string>>();
    problems.insert(problems.end(), found.begin(), found.end());
  }
  std::sort(problems.begin(), problems.end());
  problems.erase(std::unique(problems.begin(), problems.end()), problems.end());
  if (!problems.empty()) {
    throw AgreedError("verify: " + config.data + " is damaged:\n  " + join(problems, "\n  "),
                      ExitCode::kBadData);
  }
  log::info(config.data + ": every file and array is as it was written");
}

}  // namespace hepar
