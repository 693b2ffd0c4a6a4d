#pragma once
#include <hepar/core/config.h>
#include <hepar/data/patch.h>
#include <hepar/io/prepared_set.h>
#include <cstdint>
#include <vector>

namespace hepar {

struct SamplingConfig {
  double foreground_fraction = 0.33;  ///< share of the global batch that is centred on foreground
  void declare(ConfigSchema& schema);
};

/// Which patch to cut: a case and a box that may reach outside it.
struct PatchRequest {
  std::size_t case_index = 0;
  BoxVox box;
  bool forced_foreground = false;
};

/// Which patch stands at (step, slot): nnU-Net's sampling (segmentation.md §1.9) addressed by
/// (seed, step, slot) alone. Cases uniform with replacement; slot j of a global batch B is forced
/// onto foreground when j >= round(B·(1 − fraction)).
class PatchSampler {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::int64_t global_batch = 2;
    SizeVox patch;         ///< what the network sees
    SizeVox loader_patch;  ///< what is cut before spatial augmentation, >= patch
    SamplingConfig sampling;
  };
  /// `case_indices`: the cases that may be drawn. `set` must outlive the sampler. Throws ConfigError
  /// when there is none, or one has no labels: its patches would train as background.
  PatchSampler(const PreparedSet& set, std::vector<std::size_t> case_indices, Options options);

  /// Thread-safe. The box may start at −ceil(pad/2) to size + ceil(pad/2) − loader patch, where pad
  /// is loader_patch − patch, or loader_patch − size where that is more. Forced: a class uniformly
  /// among those present, one of its stored voxels uniformly, the patch centred there with only the
  /// lower bound held. A case without foreground gives a uniform position.
  [[nodiscard]] PatchRequest at(std::int64_t step, std::int64_t slot) const;

 private:
  const PreparedSet& set_;
  std::vector<std::size_t> case_indices_;
  Options options_;
};

}  // namespace hepar
