#include <hepar/pipeline/fingerprint.h>

#include <hepar/core/error.h>
#include <hepar/core/hash.h>
#include <hepar/core/parallel.h>
#include <hepar/core/progress.h>
#include <hepar/core/random.h>
#include <hepar/image/image.h>
#include <hepar/image/preprocess.h>
#include <hepar/io/shard.h>
#include <hepar/plan/statistics.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace hepar {

namespace {

namespace fs = std::filesystem;

using Readers = std::map<int, std::unique_ptr<ShardReader>>;

Readers open_shards(const fs::path& cohort, const Manifest& manifest,
                    const std::vector<SelectedSample>& samples) {
  Readers readers;
  for (const SelectedSample& sample : samples) {
    auto& reader = readers[sample.record->shard];
    if (!reader) {
      const ShardRecord& shard = manifest.shards.at(static_cast<std::size_t>(sample.record->shard));
      reader = std::make_unique<ShardReader>(cohort / shard.file);
    }
  }
  return readers;
}

StoredImage read_array(const ShardReader& reader, const ArrayRecord& array, const Grid& grid) {
  StoredImage image;
  image.grid = grid;
  image.type = array.type;
  image.slope = array.slope;
  image.intercept = array.intercept;
  image.voxels = reader.read(array.dataset);
  const std::string where = reader.path().string() + ":" + array.dataset;
  const std::size_t wanted =
      static_cast<std::size_t>(count(grid.size)) * bytes_per_voxel(array.type);
  require<DataError>(image.voxels.size() == wanted, where + ": wanted " + std::to_string(wanted) +
                                                        " bytes by the manifest, found " +
                                                        std::to_string(image.voxels.size()));
  const std::string hash = to_hex(xxh64(image.voxels));
  require<DataError>(hash == array.hash, where + ": wanted hash " + array.hash + ", found " + hash +
                                             "; the shard is damaged, convert again");
  return image;
}

// What one sample contributes.
struct SampleMeasure {
  SizeVox size;
  double crop_ratio = 1;
  bool masked = false;
  std::vector<std::vector<float>> drawn;  // one a channel
  std::string error;                      // empty: the rest counts
};

std::vector<float> foreground_values(const std::vector<float>& voxels, const LabelImage& labels,
                                     const BoxVox& box) {
  std::vector<float> values;
  for (std::int64_t z = box.start.z; z < box.start.z + box.size.z; ++z) {
    for (std::int64_t y = box.start.y; y < box.start.y + box.size.y; ++y) {
      const auto row =
          static_cast<std::size_t>(linear_index(labels.grid.size, {z, y, box.start.x}));
      for (std::size_t i = row; i < row + static_cast<std::size_t>(box.size.x); ++i) {
        if (labels.voxels[i] > 0) {
          values.push_back(voxels[i]);
        }
      }
    }
  }
  return values;
}

// Addressed by the sample's own name: adding or removing a case leaves every other draw as it was.
std::vector<float> draw(const std::vector<float>& values, std::int64_t draws,
                        const RandomStream::Address& address) {
  std::vector<float> drawn;
  if (values.empty()) {
    return drawn;
  }
  RandomStream random(address);
  drawn.reserve(static_cast<std::size_t>(draws));
  for (std::int64_t i = 0; i < draws; ++i) {
    drawn.push_back(
        values[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(values.size())))]);
  }
  return drawn;
}

class Measurer {
 public:
  Measurer(const FingerprintRequest& request, const Readers& readers, std::int64_t draws)
      : request_(request), readers_(readers), draws_(draws) {}

  [[nodiscard]] SampleMeasure measure(const SelectedSample& sample) const {
    const Grid& grid = sample.channels.front()->grid;
    const ShardReader& reader = *readers_.at(sample.record->shard);
    std::vector<std::vector<float>> channels;
    for (const SequenceRecord* sequence : sample.channels) {
      require<DataError>(same_grid(sequence->grid, grid),
                         sample.id() + ": wanted channels on one grid, found sequence " +
                             sequence->sequence + " on another than " +
                             sample.channels.front()->sequence);
      const StoredImage stored = read_array(reader, sequence->image, sequence->grid);
      channels.push_back(to_float(stored, sample.id() + ", " + sequence->sequence).voxels);
    }
    const BoxVox box = nonzero_box(channels, grid.size, nullptr);
    SampleMeasure result;
    result.size = box.size;
    result.crop_ratio =
        static_cast<double>(count(box.size)) / static_cast<double>(count(grid.size));
    const auto labels = read_labels(sample, reader);
    result.masked = labels.has_value();
    const std::uint64_t name = xxh64(sample.id());
    for (std::size_t c = 0; c < channels.size(); ++c) {
      const std::vector<float> values =
          labels ? foreground_values(channels[c], *labels, box) : std::vector<float>();
      result.drawn.push_back(draw(values, draws_,
                                  {.seed = request_.seed,
                                   .purpose = Purpose::kFingerprint,
                                   .step = name,
                                   .slot = static_cast<std::uint32_t>(c)}));
    }
    return result;
  }

 private:
  // The mask of the first channel that has one.
  static std::optional<LabelImage> read_labels(const SelectedSample& sample,
                                               const ShardReader& reader) {
    for (const SequenceRecord* sequence : sample.channels) {
      if (sequence->mask) {
        return to_labels(read_array(reader, *sequence->mask, sequence->grid),
                         sample.id() + ", mask");
      }
    }
    return std::nullopt;
  }

  const FingerprintRequest& request_;
  const Readers& readers_;
  std::int64_t draws_;
};

std::vector<SampleMeasure> measure_all(const FingerprintRequest& request, const Readers& readers,
                                       const std::vector<SelectedSample>& samples) {
  const auto n = static_cast<std::int64_t>(samples.size());
  const Measurer measurer(request, readers, std::min<std::int64_t>(100'000'000 / n, request.draws));
  std::vector<SampleMeasure> measures(samples.size());
  Progress progress("fingerprint", n);
  parallel_for(n, request.threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      measures[index] = measurer.measure(samples[index]);
    } catch (const DataError& e) {
      measures[index].error = e.what();
    }
    progress.advance();
  });
  std::string errors;
  for (const SampleMeasure& measure : measures) {
    errors += measure.error.empty() ? "" : "\n  " + measure.error;
  }
  require<DataError>(errors.empty(),
                     request.cohort.string() + ": these cases cannot be planned from:" + errors);
  return measures;
}

ChannelStatistics pool(const std::vector<SampleMeasure>& measures, std::size_t channel) {
  std::vector<float> values;
  for (const SampleMeasure& measure : measures) {
    values.insert(values.end(), measure.drawn[channel].begin(), measure.drawn[channel].end());
  }
  ChannelStatistics statistics;
  statistics.drawn = static_cast<std::int64_t>(values.size());
  if (values.empty()) {
    return statistics;
  }
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (float value : values) {
    sum += static_cast<double>(value);
  }
  statistics.mean = sum / n;
  double squares = 0;
  for (float value : values) {
    const double difference = static_cast<double>(value) - statistics.mean;
    squares += difference * difference;
  }
  statistics.std = std::sqrt(squares / n);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  statistics.min = static_cast<double>(*low);
  statistics.max = static_cast<double>(*high);
  statistics.percentile_00_5 = percentile(values, 0.5);
  statistics.median = percentile(values, 50);
  statistics.percentile_99_5 = percentile(values, 99.5);
  return statistics;
}

}  // namespace

Fingerprint take_fingerprint(const FingerprintRequest& request) {
  const Manifest manifest = read_manifest(request.cohort);
  const std::vector<SelectedSample> samples =
      select_samples(manifest, request.selection, request.channels);
  const Readers readers = open_shards(request.cohort, manifest, samples);
  const std::vector<SampleMeasure> measures = measure_all(request, readers, samples);

  Fingerprint fingerprint;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    fingerprint.ids.push_back(samples[i].id());
    fingerprint.spacings.push_back(samples[i].channels.front()->grid.spacing);
    fingerprint.sizes.push_back(measures[i].size);
    fingerprint.crop_ratios.push_back(measures[i].crop_ratio);
    fingerprint.masked += measures[i].masked ? 1 : 0;
  }
  for (std::size_t c = 0; c < samples.front().channels.size(); ++c) {
    fingerprint.channels.push_back(pool(measures, c));
  }
  std::vector<double> ratios = fingerprint.crop_ratios;
  fingerprint.median_crop_ratio = percentile(ratios, 50);
  return fingerprint;
}

Json to_json(const Fingerprint& fingerprint) {
  Json samples = Json::array();
  for (std::size_t i = 0; i < fingerprint.ids.size(); ++i) {
    const SpacingMm& spacing = fingerprint.spacings[i];
    const SizeVox& size = fingerprint.sizes[i];
    samples.push_back({{"id", fingerprint.ids[i]},
                       {"spacing_mm", {spacing.z, spacing.y, spacing.x}},
                       {"size_after_crop", {size.z, size.y, size.x}},
                       {"crop_ratio", fingerprint.crop_ratios[i]}});
  }
  Json channels = Json::array();
  for (const ChannelStatistics& c : fingerprint.channels) {
    Json channel{{"drawn", c.drawn}};
    if (c.drawn > 0) {
      channel.update(Json{{"mean", c.mean},
                          {"std", c.std},
                          {"median", c.median},
                          {"min", c.min},
                          {"max", c.max},
                          {"percentile_00_5", c.percentile_00_5},
                          {"percentile_99_5", c.percentile_99_5}});
    }
    channels.push_back(std::move(channel));
  }
  return {{"format", 1},
          {"samples", samples},
          {"masked_samples", fingerprint.masked},
          {"median_crop_ratio", fingerprint.median_crop_ratio},
          {"foreground_per_channel", channels}};
}

}  // namespace hepar
