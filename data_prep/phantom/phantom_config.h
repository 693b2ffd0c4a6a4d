#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hepar/core/config.h"

namespace hepar::phantom {

inline constexpr int kDomains = 4;
inline constexpr int kSequences = 7;
inline constexpr int kStages = 4;
inline constexpr int kTissues = 13;

inline constexpr std::string_view kDomainNames[kDomains] = {"A", "B1", "B2", "C"};
inline constexpr std::string_view kSequenceNames[kSequences] = {"T1",   "T2",   "DWI_800", "GED1",
                                                                "GED2", "GED3", "GED4"};
inline constexpr int kT2 = 1;
inline constexpr int kDwi = 2;
inline constexpr int kGed4 = 6;
inline constexpr int kDomainC = 3;

/// The order of the numbers in `contrast.*`.
enum class Tissue {
  kAir,
  kFat,
  kMuscle,
  kBone,
  kBowel,
  kLung,
  kStomach,
  kKidney,
  kSpleen,
  kHeart,
  kVessel,
  kLesion,
  kLiver
};

/// How many patients a preset writes: per domain {train, validation, test, masks among train}.
struct PresetParameters {
  std::vector<std::int64_t> a, b1, b2, c;
  double grid_scale = 1;  ///< all voxel sizes are multiplied by this
  void declare(ConfigSchema& schema);
  [[nodiscard]] const std::vector<std::int64_t>& of_domain(int domain) const;
};

/// One scanner.
struct DomainParameters {
  std::vector<double> spacing_mm;    ///< z, y, x of the T1-weighted sequences
  std::vector<double> stage_counts;  ///< relative frequency of S1…S4
  double gamma = 1;                  ///< contrast: intensity^gamma
  double gain = 400;                 ///< stored value of intensity 1
  double bias = 0.3;                 ///< largest relative bias
  double noise = 0.04;               ///< sd of the noise, of intensity 1
  void declare(ConfigSchema& schema);
};

/// Intensities of the tissues (order of Tissue) in each sequence.
struct ContrastParameters {
  std::vector<double> table[kSequences];
  double patient_sd = 0.03;  ///< relative sd of a tissue's intensity between patients
  ContrastParameters();
  void declare(ConfigSchema& schema);
};

struct AnatomyParameters {
  std::vector<double> liver_ml{950, 2150};
  std::vector<double> fat_mm{9, 20};
  std::vector<double> muscle_mm{11, 16};
  double shape_mm = 4;  ///< sd of the smooth variation of the liver's surface
  double shape_length_mm = 45;
  double gap_mm = 3.5;  ///< width of the fat plane between liver and neighbours
  double gap = 0.6;     ///< largest share of fat in it; it comes and goes along the surface
  std::int64_t max_lesions = 3;
  void declare(ConfigSchema& schema);
};

struct AcquisitionParameters {
  std::vector<double> fov_mm{198, 300, 358};  ///< z, y, x
  double oblique_deg = 15;                    ///< largest rotation of a grid
  std::vector<double> shift_mm{5, 20};        ///< rigid, against GED4
  std::vector<double> nonrigid_mm{5, 15};     ///< largest cranio-caudal displacement, against GED4
  std::vector<double> dwi_coarser{2, 3};      ///< in-plane voxel size of DWI against the others
  double dwi_distortion_mm = 5;               ///< largest displacement along the phase direction
  double dwi_noise = 1.8;                     ///< factor on the domain's noise
  double missing = 0.15;                      ///< chance that a sequence (not GED4) is missing
  double spacing_jitter = 0.04;               ///< relative, uniform, per patient
  void declare(ConfigSchema& schema);
};

/// How the stage shows. A patient's latent is mean[stage] + N(0, 1); a sequence sees it with more
/// noise.
struct StageParameters {
  std::vector<double> means{0, 0.4, 0.6, 2.15};
  double sequence_noise = 1.5;
  double contour_noise =
      8;  ///< the contour's reading is poor by design: a mask alone must tell little
  double contour_mm = 1.5;  ///< largest amplitude of the nodules of the contour
  double contour_length_mm = 14;
  double texture_sd = 0.07;  ///< sd of the liver's inner structure, the same for every stage
  std::vector<double> texture_share{0.1,
                                    0.9};  ///< variance share of coarse texture, the rest is fine
  std::vector<double> texture_length_mm{9, 12};
  double centre = 1.1;  ///< latent at which the share is half way
  double width = 1.8;
  void declare(ConfigSchema& schema);
};

/// Variant "confound": a cue outside the liver that agrees with the stage in training domains and
/// contradicts it in domain C.
struct ConfoundParameters {
  double latent_scale = 0.8;  ///< factor on stage.means
  double separation =
      1.8124;  ///< of the cue's latent between S4 and the rest; AUC = Φ(separation / √2)
  double amplitude = 0.02;  ///< sd of the cue's pattern, of intensity 1
  double wavelength_mm = 16;
  void declare(ConfigSchema& schema);
};

struct AuditParameters {
  std::int64_t latent_patients = 20000;  ///< per domain, nothing rendered
  std::int64_t drawn_patients =
      4000;  ///< per domain, anatomy and acquisition drawn, nothing rendered
  std::int64_t rendered_patients = 400;  ///< per domain, GED4 rendered around the liver
  std::int64_t threshold_patients = 6;   ///< per domain, whole GED4 images
  void declare(ConfigSchema& schema);
};

/// Everything that decides what the phantom looks like. The defaults are version 1, which is frozen
/// (PROTOCOL §6): configs/phantom/v1.yaml spells them out and kVersion1Hash pins them.
struct PhantomParameters {
  PresetParameters paper, quick, tiny;
  DomainParameters domains[kDomains];
  ContrastParameters contrast;
  AnatomyParameters anatomy;
  AcquisitionParameters acquisition;
  StageParameters stage;
  ConfoundParameters confound;
  AuditParameters audit;

  PhantomParameters();
  void declare(ConfigSchema& schema);
  [[nodiscard]] const PresetParameters& preset(const std::string& name) const;
};

/// xxh64 of all parameters, written "path=value" in order of declaration.
std::uint64_t hash_of(PhantomParameters parameters);
extern const std::uint64_t kVersion1Hash;
/// "v1" when the parameters are exactly version 1, else "custom-<hash>".
std::string version_label(const PhantomParameters& parameters);
/// Throws Error when the built-in defaults are not version 1 any more.
void check_version1_is_frozen();
/// The parameters as YAML, as configs/phantom/v1.yaml holds them.
std::string to_yaml(PhantomParameters parameters);
/// Throws ConfigError when a list has not the length its meaning asks for.
void check_lengths(const PhantomParameters& parameters);

}  // namespace hepar::phantom
