#pragma once
#include <hepar/core/config.h>
#include <hepar/core/random.h>
#include <hepar/data/case_list.h>
#include <hepar/data/patch.h>
#include <hepar/io/prepared_set.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

struct SamplingConfig {
  double foreground_fraction = 0.33;  ///< share of the global batch that is centred on foreground
  std::string patients = "inverse_frequency";  ///< staging: inverse_frequency | uniform
  void declare(ConfigSchema& schema);
};

/// Which patch to cut: a case and a box that may reach outside it.
struct PatchRequest {
  std::size_t case_index = 0;
  BoxVox box;
  bool forced_foreground = false;
};

/// Which patch stands at (step, slot): nnU-Net's sampling (segmentation.md §1.9) addressed by
/// (seed, step, slot) alone. Cases uniform with replacement (by the weight of their set where
/// weights differ); slot j of a global batch B is forced onto foreground when
/// j >= round(B·(1 − fraction)). In a case with ignored voxels an unforced patch is centred on a
/// uniformly drawn annotated voxel (segmentation.md §1.14).
class PatchSampler {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::int64_t global_batch = 2;
    SizeVox patch;         ///< what the network sees
    SizeVox loader_patch;  ///< what is cut before spatial augmentation, >= patch
    SamplingConfig sampling;
    /// How likely a case of each set is, against one of weight 1; empty: all 1.
    std::vector<double> set_weights = {};
    int ignore_label = -1;  ///< no foreground; −1: there is none
  };
  /// `case_indices`: the cases that may be drawn. The sets must outlive the sampler. Throws
  /// ConfigError when there is none, one has no labels (its patches would train as background), or
  /// the weights do not fit the sets.
  PatchSampler(CaseList cases, std::vector<std::size_t> case_indices, Options options);

  /// Thread-safe. The box may start at −ceil(pad/2) to size + ceil(pad/2) − loader patch, where pad
  /// is loader_patch − patch, or loader_patch − size where that is more. Forced: a class uniformly
  /// among those present, one of its stored voxels uniformly, the patch centred there with only the
  /// lower bound held. A case without foreground gives a uniform position.
  [[nodiscard]] PatchRequest at(std::int64_t step, std::int64_t slot) const;

 private:
  [[nodiscard]] std::size_t draw_case(RandomStream& random) const;
  [[nodiscard]] std::optional<OffsetVox> draw_foreground(std::size_t index,
                                                         RandomStream& random) const;
  [[nodiscard]] std::optional<OffsetVox> draw_annotated(std::size_t index,
                                                        RandomStream& random) const;

  CaseList cases_;
  std::vector<std::size_t> case_indices_;
  std::vector<double> cumulative_;  ///< weights up to and with each case; empty: all equal
  Options options_;
};

}  // namespace hepar
