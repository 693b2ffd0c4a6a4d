#include "predict_inputs.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
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
                      .read =
                          [paths = files] {
                            std::vector<Image<float>> images;
                            for (const fs::path& path : paths) {
                              images.push_back(to_float(read_nifti(path), path.string()));
                            }
                            return images;
                          },
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
std::vector<std::pair<std::string, std::vector<std::string>>> wanted_images(
    const PredictConfig& config, const Plan& plan, const std::string& id) {
  if (config.sequence.size() <= 1 || plan.channels.size() > 1) {
    return {{id, config.sequence.empty() || plan.channels.size() > 1 ? plan.channels
                                                                     : config.sequence}};
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> images;
  for (const std::string& sequence : config.sequence) {
    images.push_back({id + "_" + sequence, {sequence}});
  }
  return images;
}

std::vector<PredictInput> from_cohort(const PredictConfig& config, const Plan& plan) {
  const auto shards = std::make_shared<Shards>(config.in, read_manifest(config.in));
  std::vector<PredictInput> inputs;
  for (const CaseRecord& record : shards->manifest().cases) {
    if (!config.split.empty() &&
        std::find(config.split.begin(), config.split.end(), record.split) == config.split.end()) {
      continue;
    }
    for (const auto& [name, sequences] : wanted_images(config, plan, record.id)) {
      std::vector<const SequenceRecord*> found;
      for (const std::string& sequence : sequences) {
        found.push_back(find_sequence(record, sequence));
      }
      if (std::find(found.begin(), found.end(), nullptr) != found.end()) {
        continue;  // a sequence this patient does not have
      }
      const SequenceRecord& first = *found.front();
      inputs.push_back(
          {.name = name,
           .read =
               [shards, &record, found] {
                 std::vector<Image<float>> images;
                 for (const SequenceRecord* sequence : found) {
                   images.push_back(shards->read(record, *sequence));
                 }
                 return images;
               },
           .to_output = inverse({.source_axis = first.source_axis, .flipped = first.flipped})});
    }
  }
  return inputs;
}

}  // namespace

std::vector<PredictInput> predict_inputs(const PredictConfig& config, const Plan& plan) {
  require<DataError>(fs::is_directory(config.in), config.in + ": no such folder");
  std::vector<PredictInput> inputs = fs::exists(fs::path(config.in) / "manifest.json")
                                         ? from_cohort(config, plan)
                                         : from_nifti(config.in, plan.normalization.size());
  require<DataError>(!inputs.empty(),
                     config.in +
                         ": nothing to predict: no NIfTI file and no case of a cohort "
                         "with sequence " +
                         join(plan.channels, " + "));
  return inputs;
}

}  // namespace hepar
