#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "phantom/render.h"

namespace hepar::phantom {

/// How many patients an external set gets with a preset.
struct ExternalCounts {
  int train = 0, validation = 0, test = 0, ct = 0;
  [[nodiscard]] int all() const { return train + validation + test + ct; }
};

struct ExternalRequest {
  std::uint64_t seed = 0;
  std::string preset;             ///< paper, quick, tiny
  std::vector<std::string> sets;  ///< names of external_names()
  std::filesystem::path out;      ///< each set gets a folder of its name below
  int threads = 1;
};

/// Miniatures of public data sets in their own layouts. The anatomies come from the phantom's
/// generator, with other seeds than any LiQA patient; scanner, contrasts and voxel sizes are each
/// set's own, and none has a hepatobiliary image.
std::vector<std::string> external_names();

/// Throws ConfigError when a set is not known.
void check_external(const ExternalRequest& request);

/// Writes the sets under `out` (by way of "out.partial"); a seed gives the same bytes whatever the
/// number of threads. Throws ConfigError for an unknown set, DataError when `out` has content.
void generate_external(const ExternalRequest& request);

/// One set's own part: what is rendered and where it is written.
class ExternalSet {
 public:
  ExternalSet() = default;
  virtual ~ExternalSet() = default;
  ExternalSet(const ExternalSet&) = delete;
  ExternalSet& operator=(const ExternalSet&) = delete;
  ExternalSet(ExternalSet&&) = delete;
  ExternalSet& operator=(ExternalSet&&) = delete;

  [[nodiscard]] virtual int patients() const = 0;
  /// Called from many threads, for different patients.
  virtual void write(int index) const = 0;
  /// Tables that come with the data.
  virtual void finish() const {}
};

struct ExternalPlace {
  std::filesystem::path root;
  std::uint64_t seed = 0;  ///< already the set's own
  double grid_scale = 1;
  ExternalCounts counts;
};
std::unique_ptr<ExternalSet> make_chaos_phantom(const ExternalPlace& place);
std::unique_ptr<ExternalSet> make_amos_phantom(const ExternalPlace& place);
std::unique_ptr<ExternalSet> make_atlas_phantom(const ExternalPlace& place);

/// A patient of an external set; `domain` chooses the scanner in `parameters`.
Patient external_patient(const ExternalPlace& place, int index, int domain,
                         const PhantomParameters& parameters);

/// Organs as the data sets label them, on the grid of an acquisition.
enum class Organ : std::uint8_t {
  kNone,
  kLiver,
  kTumour,
  kSpleen,
  kRightKidney,
  kLeftKidney,
  kStomach,
  kAorta,
  kCava
};
std::vector<Organ> organs_of(const Anatomy& anatomy, const Acquisition& acquisition);

/// uint8 image of one value an organ, `values` in the order of Organ.
LabelImage labels_of(const std::vector<Organ>& organs, const Grid& grid,
                     const std::vector<int>& values);

}  // namespace hepar::phantom
