#include "predict_inputs.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "hepar/io/manifest.h"
#include "hepar/io/shard.h"

namespace hepar {
namespace {

constexpr std::size_t kChannelSuffix = 5;  // "_0000"

bool has_channel_suffix(const std::string& stem) {
  return stem.size() > kChannelSuffix && stem[stem.size() - kChannelSuffix] == '_' &&
         std::all_of(stem.end() - 4, stem.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Case name -> its channel files, in channel order (file names sort that way).
std::map<std::string, std::vector<fs::path>> nifti_cases(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && !nifti_stem(entry.path()).empty()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, std::vector<fs::path>> cases;
  for (const fs::path& file : files) {
    const std::string stem = nifti_stem(file);
    cases[has_channel_suffix(stem) ? stem.substr(0, stem.size() - kChannelSuffix) : stem].push_back(
        file);
  }
  return cases;
}

/// Hashed as a cohort would store them, so that a file is known again.
ReadImages read_files(const std::vector<fs::path>& paths) {
  ReadImages images;
  for (const fs::path& path : paths) {
    const StoredImage stored = read_nifti(path);
    images.hashes.insert(to_hex(xxh64(reorient(stored, to_canonical(stored.grid)).voxels)));
    images.channels.push_back(to_float(stored, path.string()));
  }
  return images;
}

std::vector<PredictInput> from_nifti(const fs::path& folder, std::size_t channels) {
  std::vector<PredictInput> inputs;
  std::vector<std::string> problems;
  for (const auto& [name, files] : nifti_cases(folder)) {
    if (files.size() != channels) {
      problems.push_back("case " + name + ": wanted " + std::to_string(channels) +
                         " channel files, found " + std::to_string(files.size()));
      continue;
    }
    inputs.push_back({.name = name,
                      .sequence = "",
                      .identity = {.cohort = "", .case_id = name, .images = {}},
                      .read = [paths = files] { return read_files(paths); },
                      .to_output = {}});
  }
  require<DataError>(problems.empty(), folder.string() + ":\n  " + join(problems, "\n  "));
  return inputs;
}

/// Opens each shard once, however many cases are read from it.
class Shards {
 public:
  Shards(fs::path folder, Manifest manifest)
      : folder_(std::move(folder)), manifest_(std::move(manifest)) {}

  [[nodiscard]] const Manifest& manifest() const { return manifest_; }

  Image<float> read(const CaseRecord& record, const SequenceRecord& sequence) {
    StoredImage stored{.grid = sequence.grid,
                       .type = sequence.image.type,
                       .slope = sequence.image.slope,
                       .intercept = sequence.image.intercept,
                       .voxels = reader(record.shard).read(sequence.image.dataset),
                       .notes = {}};
    return to_float(stored, folder_.string() + ": case " + record.id + ", " + sequence.sequence);
  }

 private:
  const ShardReader& reader(int shard) {
    const std::scoped_lock lock(mutex_);
    std::unique_ptr<ShardReader>& slot = readers_[shard];
    if (!slot) {
      slot = std::make_unique<ShardReader>(
          folder_ / manifest_.shards.at(static_cast<std::size_t>(shard)).file);
    }
    return *slot;
  }

  fs::path folder_;
  Manifest manifest_;
  std::map<int, std::unique_ptr<ShardReader>> readers_;
  std::mutex mutex_;
};

const SequenceRecord* find_sequence(const CaseRecord& record, const std::string& name) {
  const auto found = std::find_if(record.sequences.begin(), record.sequences.end(),
                                  [&](const SequenceRecord& s) { return s.sequence == name; });
  return found == record.sequences.end() ? nullptr : &*found;
}

/// The images to predict of one case: each a list of channel sequences and an output name.
std::vector<std::pair<std::string, std::vector<std::string>>> wanted_images(const InputQuery& query,
                                                                            const Plan& plan,
                                                                            const std::string& id) {
  if (query.sequence.size() <= 1 || plan.channels.size() > 1) {
    return {
        {id, query.sequence.empty() || plan.channels.size() > 1 ? plan.channels : query.sequence}};
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> images;
  for (const std::string& sequence : query.sequence) {
    images.push_back({id + "_" + sequence, {sequence}});
  }
  return images;
}

/// The sequences of an image, in channel order; empty when the patient lacks one, or all are
/// labelled and unlabelled ones are wanted.
std::vector<const SequenceRecord*> channels_of(const InputQuery& query, const CaseRecord& record,
                                               const std::vector<std::string>& sequences) {
  std::vector<const SequenceRecord*> found;
  bool labelled = false;
  for (const std::string& sequence : sequences) {
    found.push_back(find_sequence(record, sequence));
    if (found.back() == nullptr) {
      return {};
    }
    labelled = labelled || found.back()->mask.has_value();
  }
  return query.unlabelled && labelled ? std::vector<const SequenceRecord*>{} : found;
}

PredictInput input_of(const std::shared_ptr<Shards>& shards, const CaseRecord& record,
                      const std::vector<const SequenceRecord*>& channels) {
  const SequenceRecord& first = *channels.front();
  PredictInput input;
  input.sequence = first.sequence;
  input.identity.case_id = record.id;
  for (const SequenceRecord* channel : channels) {
    input.identity.images.insert(channel->image.hash);
  }
  input.read = [shards, &record, channels] {
    ReadImages images;
    for (const SequenceRecord* channel : channels) {
      images.channels.push_back(shards->read(record, *channel));
      images.hashes.insert(channel->image.hash);
    }
    return images;
  };
  input.to_output = inverse({.source_axis = first.source_axis, .flipped = first.flipped});
  return input;
}

std::vector<PredictInput> from_cohort(const InputQuery& query, const Plan& plan) {
  const auto shards = std::make_shared<Shards>(query.in, read_manifest(query.in));
  const std::string cohort = manifest_hash(shards->manifest());
  std::vector<PredictInput> inputs;
  for (const CaseRecord& record : shards->manifest().cases) {
    if (!takes(query.split, record.split) || !takes(query.domain, record.domain)) {
      continue;
    }
    for (const auto& [name, sequences] : wanted_images(query, plan, record.id)) {
      const std::vector<const SequenceRecord*> channels = channels_of(query, record, sequences);
      if (!channels.empty()) {
        inputs.push_back(input_of(shards, record, channels));
        inputs.back().name = name;
        inputs.back().identity.cohort = cohort;
      }
    }
  }
  return inputs;
}

}  // namespace

std::vector<PredictInput> predict_inputs(const InputQuery& query, const Plan& plan) {
  require<DataError>(fs::is_directory(query.in), query.in + ": no such folder");
  std::vector<PredictInput> inputs = fs::exists(fs::path(query.in) / "manifest.json")
                                         ? from_cohort(query, plan)
                                         : from_nifti(query.in, plan.normalization.size());
  require<DataError>(!inputs.empty(),
                     query.in + ": nothing to predict: no NIfTI file and no " +
                         (query.unlabelled ? "unlabelled " : "") +
                         "case of a cohort with sequence " +
                         join(query.sequence.empty() ? plan.channels : query.sequence, " + ") +
                         (query.split.empty() ? "" : " in split " + join(query.split, ", ")));
  return inputs;
}

}  // namespace hepar
