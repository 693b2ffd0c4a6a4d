#pragma once
#include <hepar/core/config.h>
#include <hepar/core/geometry.h>
#include <hepar/core/json.h>
#include <hepar/io/manifest.h>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// Which images of a cohort are meant. An empty list takes all.
struct CaseSelection {
  std::vector<std::string> sequence;
  std::vector<std::string> split;
  std::vector<std::string> label;  ///< manual | pseudo | none
  std::vector<std::string> domain;
  void declare(ConfigSchema& schema);
};

/// One training sample: a sequence of a case, or several sequences of it as channels. Points into
/// the manifest it was selected from.
struct SelectedSample {
  const CaseRecord* record = nullptr;
  std::vector<const SequenceRecord*> channels;
  [[nodiscard]] std::string id() const;  ///< "case/sequence", or "case" with several channels
};

/// The samples of a selection, by case id and then sequence. With `channels`, one sample a case
/// that has all of them; else every selected sequence is a sample of its own. Throws ConfigError,
/// naming what the cohort has, when a name asked for does not occur or nothing is left.
std::vector<SelectedSample> select_samples(const Manifest& manifest, const CaseSelection& selection,
                                           const std::vector<std::string>& channels);

/// Foreground intensities of one channel, pooled over all samples with a mask (real values). With
/// no mask at all `drawn` is 0 and the rest means nothing.
struct ChannelStatistics {
  std::int64_t drawn = 0;  ///< intensities in the pool
  double mean = 0, std = 0, median = 0, min = 0, max = 0;
  double percentile_00_5 = 0, percentile_99_5 = 0;
  friend bool operator==(const ChannelStatistics&, const ChannelStatistics&) = default;
};

/// nnU-Net's dataset fingerprint (segmentation.md §1.2), in canonical axis order.
struct Fingerprint {
  std::vector<std::string> ids;
  std::vector<SpacingMm> spacings;  ///< mm, one a sample
  std::vector<SizeVox> sizes;       ///< after the crop to the non-zero region
  std::vector<double> crop_ratios;  ///< voxels after / before the crop
  std::vector<ChannelStatistics> channels;
  std::int64_t masked = 0;  ///< samples that have a mask
  double median_crop_ratio = 1;
};

struct FingerprintRequest {
  std::filesystem::path cohort;
  CaseSelection selection;
  std::vector<std::string> channels;
  /// Intensities drawn per masked sample and channel, with replacement: floor(1e8 / samples) as
  /// nnU-Net, but no more than this. 1e5 already place a percentile to 0.1 % of the distribution,
  /// and 250 cases then take 100 MB, not 400.
  std::int64_t draws = 100000;
  std::uint64_t seed = 1234;
  int threads = 1;
};

/// Reads every selected image once. The result does not depend on `threads`. Throws DataError
/// listing every sample that is damaged or whose channels lie on different grids.
Fingerprint take_fingerprint(const FingerprintRequest& request);

Json to_json(const Fingerprint& fingerprint);

}  // namespace hepar
