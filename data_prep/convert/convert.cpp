#include "hepar/prep/convert.h"

#include <algorithm>
#include <set>

#include "convert/equal_images.h"
#include "convert/image_files.h"
#include "convert/read_case.h"
#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/version.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_writer.h"
#include "hepar/io/shard.h"
#include "sets/arrays.h"
#include "sets/from_root.h"
#include "sets/sharded_work.h"
#include "sources/source.h"

namespace hepar {
namespace {

/// The case as it goes into the manifest, before its arrays are written.
CaseRecord record_of(const CaseListing& listing, int shard) {
  CaseRecord record;
  record.id = listing.id;
  record.patient = listing.patient;
  record.domain = listing.domain;
  record.hospital = listing.hospital;
  record.vendor = listing.vendor;
  record.split = listing.split;
  record.stage = listing.stage;
  record.shard = shard;
  const bool masked = std::any_of(listing.sequences.begin(), listing.sequences.end(),
                                  [](const auto& sequence) { return sequence.mask.has_value(); });
  record.label = masked ? "manual" : "none";
  return record;
}

/// Raised when the same input gives other shards than before. The version of the program does not
/// count: an update must not throw away a finished cohort.
constexpr int kRecipe = 1;

/// Everything that decides what one shard will hold.
std::string inputs_of(const ShardTask& task, const SourceListing& listing) {
  Json json{{"recipe", kRecipe}, {"labels", listing.labels}, {"cases", Json::array()}};
  for (const std::size_t i : task.items) {
    Json entry = to_json(listing.cases[i]);
    for (const SequenceListing& sequence : listing.cases[i].sequences) {
      entry["stamps"].push_back(stamp_of_image(sequence.image));
      entry["stamps"].push_back(sequence.mask ? stamp_of_image(*sequence.mask) : "");
    }
    json["cases"].push_back(std::move(entry));
  }
  return to_hex(xxh64(json.dump()));
}

class Conversion {
 public:
  Conversion(const ConvertConfig& config, Communicator& ranks)
      : config_(config),
        ranks_(ranks),
        options_{config.out, "convert", config.exclude_bad},
        builder_(options_, ranks) {}

  void run() {
    list();
    if (config_.dry_run) {
      refuse(listing_.problems);
      log::info("dry run: " + std::to_string(listing_.cases.size()) + " cases would be read and " +
                "written to " + config_.out);
      return;
    }
    if (builder_.already_done(tasks_)) {
      log::info(config_.out + ": was made from this very input; nothing to do");
      return;
    }
    const auto results = builder_.run(tasks_, [&](std::size_t shard, Progress& progress) {
      return write_shard(shard, progress);
    });
    finish(results);
  }

 private:
  /// Rank 0 looks at the file system, all see the same listing.
  void list() {
    const std::string text = from_root(ranks_, [&] {
      SourceListing listing = list_source(
          config_.source,
          {config_.in, config_.labels, config_.masks, config_.cases, config_.classes, config_.ct});
      std::vector<std::int64_t> bytes;
      for (const CaseListing& item : listing.cases) {
        bytes.push_back(item.declared_bytes);
      }
      tasks_ = deal_to_shards(bytes, config_.shard_mb * 1'000'000);
      Json inputs = Json::array();
      for (const ShardTask& task : tasks_) {
        inputs.push_back(Json{{"items", task.items}, {"inputs", inputs_of(task, listing)}});
      }
      return Json{{"listing", to_json(listing)}, {"tasks", inputs}}.dump();
    });
    const Json json = Json::parse(text);
    listing_ = listing_from_json(json.at("listing"));
    tasks_.clear();
    for (const Json& task : json.at("tasks")) {
      tasks_.push_back({task.at("items").get<std::vector<std::size_t>>(), task.at("inputs")});
    }
    if (ranks_.is_root()) {
      for (const std::string& warning : listing_.warnings) {
        log::warn(warning);
      }
      if (!listing_.report.empty()) {
        log::print(listing_.report);
      }
    }
  }

  void refuse(const std::vector<Problem>& problems) const {
    std::set<std::string> bad;
    for (const Problem& problem : listing_.problems) {
      bad.insert(problem.id);
    }
    refuse_problems(options_, problems, listing_.cases.size() + bad.size());
  }

  ShardResult write_shard(std::size_t shard, Progress& progress) {
    ShardResult result;
    ShardWriter writer(builder_.partial() / shard_file_name(static_cast<int>(shard)),
                       Compressor::kZstd);
    for (const std::size_t i : tasks_[shard].items) {
      const CaseListing& item = listing_.cases[i];
      const ReadCase read = read_case(item, {listing_.labels, config_.in});
      for (const std::string& text : read.problems) {
        result.problems.push_back({item.id, text});
      }
      if (read.problems.empty() && (result.problems.empty() || config_.exclude_bad)) {
        result.records.push_back(
            write_case(record_of(item, static_cast<int>(shard)), read, writer));
      }
      progress.advance(1, item.id);
    }
    if (result.problems.empty() || config_.exclude_bad) {
      writer.close();
    }
    return result;
  }

  static Json write_case(CaseRecord record, const ReadCase& read, ShardWriter& writer) {
    Json decoded = Json::array();
    for (const ReadSequence& sequence : read.sequences) {
      SequenceRecord& added = record.sequences.emplace_back(sequence.record);
      const std::string group = "/cases/" + record.id + "/" + added.sequence;
      added.image = write_array(sequence.image, group + "/image", writer);
      if (sequence.mask) {
        added.mask = write_array(*sequence.mask, group + "/mask", writer);
      }
      decoded.push_back(sequence.decoded_hash);
    }
    Json json = case_to_json(record);
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      json["sequences"][i][kValuesHash] = decoded[i];
    }
    return Json{{"case", json}};
  }

  void finish(const std::vector<ShardResult>& results) {
    std::vector<Problem> problems = listing_.problems;
    std::vector<DecodedImage> images;
    Json cases = Json::array();
    Manifest manifest;
    for (std::size_t shard = 0; shard < results.size(); ++shard) {
      problems.insert(problems.end(), results[shard].problems.begin(),
                      results[shard].problems.end());
      IndexHash index;
      for (const Json& entry : results[shard].records) {
        index.add_case(entry.at("case"));
        add_images(entry, images);
        cases.push_back(entry.at("case"));
      }
      manifest.shards.push_back({shard_file_name(static_cast<int>(shard)), index.digest()});
    }
    if (!config_.exclude_bad) {
      refuse(problems);
    }
    refuse_others(images, cases.size());
    refuse_problems(options_, equal_images(std::move(images), config_.allow_equal), cases.size());
    require<AgreedError>(!cases.empty(), "convert: no usable case is left; nothing is written");
    std::sort(problems.begin(), problems.end());
    for (const Problem& problem : problems) {
      manifest.excluded.emplace_back(problem.id, problem.text);
    }
    publish(std::move(manifest), std::move(cases));
  }

  /// Rank 0 reads the other cohorts; all leave together when one has a case or an image of ours.
  void refuse_others(const std::vector<DecodedImage>& images, std::size_t cases) const {
    const Json shared = Json::parse(from_root(ranks_, [&] {
      Json found = Json::array();
      for (const std::string& cohort : config_.against) {
        for (const Problem& problem : shared_with(cohort, images, config_.allow_equal)) {
          found.push_back({problem.id, problem.text});
        }
      }
      return found.dump();
    }));
    std::vector<Problem> problems;
    for (const Json& problem : shared) {
      problems.push_back({problem.at(0), problem.at(1)});
    }
    refuse_problems(options_, problems, cases);
  }

  void publish(Manifest manifest, Json cases) {
    manifest.tool_version = version();
    manifest.source = config_.source;
    manifest.labels = listing_.labels;
    builder_.publish(tasks_, [&] {
      Json json = to_json(manifest);
      json["cases"] = cases;
      write_json(builder_.partial() / "manifest.json", json);
      read_manifest(builder_.partial());  // what cannot be read back must not get its final name
    });
    report(manifest, cases.size());
  }

  static void add_images(const Json& entry, std::vector<DecodedImage>& images) {
    const Json& item = entry.at("case");
    for (std::size_t i = 0; i < item.at("sequences").size(); ++i) {
      const Json& sequence = item.at("sequences").at(i);
      images.push_back(
          {sequence.at(kValuesHash), item.at("id"), item.at("split"), sequence.at("source_file")});
    }
  }

  void report(const Manifest& manifest, std::size_t cases) const {
    std::set<std::string> excluded;
    for (const auto& entry : manifest.excluded) {
      excluded.insert(entry.first);
    }
    log::info(config_.out + ": " + std::to_string(cases) + " cases in " +
              std::to_string(manifest.shards.size()) + " shards" +
              (excluded.empty() ? "" : ", " + std::to_string(excluded.size()) + " left out"));
    for (const auto& [id, why] : manifest.excluded) {
      log::info("left out " + id + ": " + why);
    }
  }

  const ConvertConfig& config_;
  Communicator& ranks_;
  SetBuilder::Options options_;
  SetBuilder builder_;
  SourceListing listing_;
  std::vector<ShardTask> tasks_;
};

}  // namespace

void ConvertConfig::declare(ConfigSchema& schema) {
  schema.add_choice("source", source, known_sources(), "How the files are laid out");
  schema.add("in", in, "Folder of the source (table: the CSV file)", {}, Effect::kNone);
  schema.add("out", out, "Folder of the cohort to be made", {}, Effect::kNone);
  schema.add("labels", labels, "CSV with columns case, stage (1 to 4) for cases without a stage");
  schema.add("masks", masks, "Folder with CASE/mask_SEQUENCE.nii.gz for cases without a mask");
  schema.add("cases", cases, "Text file with the case ids to take, one a line; empty takes all");
  schema.add("classes", classes, "Label names in order of their values, for the source table");
  schema.add("ct", ct, "Take CT too, of the sources that hold CT and MR (chaos, amos)");
  schema.add("allow_equal", allow_equal,
             "Cases whose images may be equal to those of other cases listed here");
  schema.add(
      "against", against,
      "Cohorts of the same experiment: a case id or an image that is already there is refused", {},
      Effect::kNone);
  schema.add("exclude_bad", exclude_bad, "Leave bad cases out and record them in the manifest");
  schema.add("shard_mb", shard_mb, "Voxels a shard holds at most, MB", Range{.low = 1});
}

void convert(const ConvertConfig& config, Communicator& ranks) {
  together(ranks, [&] {
    make_source(config.source);
    require<ConfigError>(!config.in.empty(), "convert: --in is missing: the folder of the source");
    require<ConfigError>(!config.out.empty(), "convert: --out is missing: the cohort to be made");
  });
  Conversion(config, ranks).run();
}

}  // namespace hepar
