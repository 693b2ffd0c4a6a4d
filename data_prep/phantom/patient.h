#pragma once
#include <array>
#include <string>
#include <vector>

#include "hepar/core/random.h"
#include "phantom/phantom_config.h"

namespace hepar::phantom {

enum class Split : std::uint32_t { kTrain, kValidation, kTest, kAudit };
enum class Variant {
  kPlain,
  kConfound,  ///< a cue outside the liver
  kSwapped,   ///< the same patients, each with the cue of another of its domain and split
};
const std::vector<std::string>& variant_names();  ///< in order
Variant variant_from(const std::string& name);    ///< throws Error for another name
const std::string& to_string(Variant variant);

/// What of a patient's stage can be seen, and where.
struct Latents {
  double patient = 0;                       ///< mean[stage] + N(0, 1)
  std::array<double, kSequences> sequence;  ///< the patient's, plus the sequence's own noise
  double contour = 0;                       ///< the patient's, plus much noise
  double cue = 0;  ///< of the confounding cue; agrees with S4, in domain C it opposes
};

/// Which patient, independent of how many others there are.
struct PatientKey {
  std::uint64_t seed = 0;
  int domain = 0;
  Split split = Split::kTrain;
  std::uint32_t index = 0;
};

struct Patient {
  PatientKey key;
  Variant variant = Variant::kPlain;
  int stage = 0;   ///< 0…3 for S1…S4
  int number = 0;  ///< four digits; repeats in other domains, as in the real data
  bool has_mask = false;
  double grid_scale = 1;
  Latents latents;
  std::array<bool, kSequences> missing{};

  /// "1053-B2"
  [[nodiscard]] std::string id() const;
  /// "1053-B2-S3", the folder of a training case
  [[nodiscard]] std::string id_with_stage() const;
};

/// What the streams of one patient are for. Never renumber: the data depend on it.
enum class Draw : std::uint32_t {
  kLatents = 0,
  kMissing = 1,
  kAnatomy = 2,
  kLattice = 3,
  kContrast = 4,
  kCohort = 5,
  kAcquisition = 16,  ///< + sequence
  kFineTexture = 32,  ///< + sequence
  kNoise = 48,        ///< + sequence
};
RandomStream stream_of(const PatientKey& key, Draw draw, int sequence = 0);

Latents draw_latents(const PatientKey& key, int stage, const PhantomParameters& parameters,
                     Variant variant);

/// A patient of the audit or of a cohort: latents and missing sequences drawn, no id and no mask
/// yet.
struct PatientRequest {
  PatientKey key;
  int stage = 0;
  Variant variant = Variant::kPlain;
  double grid_scale = 1;
};
Patient make_patient(const PatientRequest& request, const PhantomParameters& parameters);

struct CohortRequest {
  std::uint64_t seed = 0;
  std::string preset;
  Variant variant = Variant::kPlain;
};
/// All patients of a preset, domain by domain, train before validation before test. Stages follow
/// each domain's frequencies by largest remainder, in random order.
std::vector<Patient> make_cohort(const CohortRequest& request, const PhantomParameters& parameters);

}  // namespace hepar::phantom
