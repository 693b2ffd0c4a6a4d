#include "phantom/phantom_config.h"

#include <cstdio>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"

namespace hepar::phantom {

const std::uint64_t kVersion1Hash = 0x1aeaf79317d3ace1ULL;

void PresetParameters::declare(ConfigSchema& schema) {
  const std::string help = "Patients of this domain: train, validation, test, masks among train";
  schema.add("A", a, help, Range{.low = 0});
  schema.add("B1", b1, help, Range{.low = 0});
  schema.add("B2", b2, help, Range{.low = 0});
  schema.add("C", c, help, Range{.low = 0});
  schema.add("grid_scale", grid_scale, "Factor on all voxel sizes", Range{.low = 0.2, .high = 4});
}

const std::vector<std::int64_t>& PresetParameters::of_domain(int domain) const {
  const std::vector<std::int64_t>* all[kDomains] = {&a, &b1, &b2, &c};
  return *all[domain];
}

void DomainParameters::declare(ConfigSchema& schema) {
  schema.add("spacing_mm", spacing_mm, "Voxel size z, y, x of the T1-weighted sequences, mm",
             Range{.low = 0.2, .high = 20});
  schema.add("stage_counts", stage_counts, "Relative frequency of S1 to S4", Range{.low = 0});
  schema.add("gamma", gamma, "Contrast: intensity to this power", Range{.low = 0.1, .high = 10});
  schema.add("gain", gain, "Stored value of intensity 1", Range{.low = 1, .high = 10000});
  schema.add("bias", bias, "Largest relative bias field", Range{.low = 0, .high = 0.9});
  schema.add("noise", noise, "Standard deviation of the noise, of intensity 1", Range{.low = 0});
}

// Order of Tissue: air fat muscle bone bowel lung stomach kidney spleen heart vessel lesion liver.
// In GED4 spleen, heart, kidney and muscle are (nearly) as bright as the liver, so brightness does
// not find it.
ContrastParameters::ContrastParameters()
    : table{{0.02, 1.10, 0.62, 0.50, 0.55, 0.06, 0.35, 0.60, 0.64, 0.60, 0.45, 0.50, 0.80},
            {0.02, 0.95, 0.28, 0.50, 0.75, 0.06, 1.10, 0.85, 0.72, 0.45, 0.55, 0.85, 0.38},
            {0.02, 0.10, 0.22, 0.15, 0.22, 0.04, 0.20, 0.75, 0.85, 0.25, 0.10, 0.80, 0.38},
            {0.02, 0.45, 0.42, 0.35, 0.45, 0.06, 0.40, 1.10, 0.90, 0.95, 0.66, 0.75, 0.50},
            {0.02, 0.40, 0.50, 0.38, 0.50, 0.06, 0.42, 1.05, 0.88, 0.90, 1.05, 0.60, 0.85},
            {0.02, 0.38, 0.55, 0.40, 0.50, 0.06, 0.42, 0.95, 0.76, 0.80, 0.90, 0.58, 0.78},
            {0.02, 0.35, 0.76, 0.42, 0.55, 0.06, 0.45, 0.84, 0.80, 0.80, 0.50, 0.48, 0.80}} {}

void ContrastParameters::declare(ConfigSchema& schema) {
  for (int s = 0; s < kSequences; ++s) {
    schema.add(
        std::string(kSequenceNames[s]), table[s],
        "Intensity of air, fat, muscle, bone, bowel, lung, stomach, kidney, spleen, heart, vessel, "
        "lesion, liver",
        Range{.low = 0, .high = 4});
  }
  schema.add("patient_sd", patient_sd, "Relative sd of a tissue's intensity between patients",
             Range{.low = 0, .high = 0.5});
}

void AnatomyParameters::declare(ConfigSchema& schema) {
  schema.add("liver_ml", liver_ml, "Smallest and largest liver, ml",
             Range{.low = 300, .high = 4000});
  schema.add("fat_mm", fat_mm, "Thinnest and thickest fat rim, mm", Range{.low = 1, .high = 40});
  schema.add("muscle_mm", muscle_mm, "Thinnest and thickest body wall, mm",
             Range{.low = 1, .high = 40});
  schema.add("shape_mm", shape_mm, "Smooth variation of the liver's surface, sd in mm",
             Range{.low = 0});
  schema.add("shape_length_mm", shape_length_mm, "Its length, mm", Range{.low = 10});
  schema.add("gap_mm", gap_mm, "Width of the fat plane around the liver, mm", Range{.low = 0});
  schema.add("gap", gap, "Largest share of fat in that plane", Range{.low = 0, .high = 1});
  schema.add("max_lesions", max_lesions, "Most lesions in a liver", Range{.low = 0, .high = 20});
}

void AcquisitionParameters::declare(ConfigSchema& schema) {
  schema.add("fov_mm", fov_mm, "Field of view z, y, x, mm", Range{.low = 100, .high = 600});
  schema.add("oblique_deg", oblique_deg, "Largest rotation of a grid, degrees",
             Range{.low = 0, .high = 45});
  schema.add("shift_mm", shift_mm, "Rigid shift against GED4, mm", Range{.low = 0, .high = 60});
  schema.add("nonrigid_mm", nonrigid_mm, "Largest cranio-caudal displacement against GED4, mm",
             Range{.low = 0, .high = 30});
  schema.add("dwi_coarser", dwi_coarser, "In-plane voxel size of DWI against the others",
             Range{.low = 1, .high = 5});
  schema.add("dwi_distortion_mm", dwi_distortion_mm, "Largest distortion of DWI, mm",
             Range{.low = 0});
  schema.add("dwi_noise", dwi_noise, "Noise of DWI against the others", Range{.low = 0});
  schema.add("missing", missing, "Chance that a sequence other than GED4 is missing",
             Range{.low = 0, .high = 1});
  schema.add("spacing_jitter", spacing_jitter,
             "Relative variation of the voxel size between patients", Range{.low = 0, .high = 0.5});
}

void StageParameters::declare(ConfigSchema& schema) {
  schema.add("means", means, "Mean of the patient's latent for S1 to S4; its sd is 1");
  schema.add("sequence_noise", sequence_noise, "Sd of what a sequence adds to the latent",
             Range{.low = 0});
  schema.add("contour_noise", contour_noise, "Sd of what the contour adds to the latent",
             Range{.low = 0});
  schema.add("contour_mm", contour_mm, "Largest amplitude of contour nodules, mm", Range{.low = 0});
  schema.add("contour_length_mm", contour_length_mm, "Their length, mm", Range{.low = 4});
  schema.add("texture_sd", texture_sd, "Relative sd inside the liver, for every stage",
             Range{.low = 0});
  schema.add("texture_share", texture_share,
             "Variance share of coarse texture, lowest and highest latent",
             Range{.low = 0, .high = 1});
  schema.add("texture_length_mm", texture_length_mm, "Its length, lowest and highest latent, mm",
             Range{.low = 2});
  schema.add("centre", centre, "Latent at which the share is half way");
  schema.add("width", width, "Latent width of the transition", Range{.low = 0.01});
}

void ConfoundParameters::declare(ConfigSchema& schema) {
  schema.add("latent_scale", latent_scale, "Factor on stage.means", Range{.low = 0});
  schema.add("separation", separation, "Distance of the cue's latent between S4 and the rest",
             Range{.low = 0});
  schema.add("amplitude", amplitude, "Sd of the cue's pattern, of intensity 1", Range{.low = 0});
  schema.add("wavelength_mm", wavelength_mm, "Wavelength of the cue's stripes, mm",
             Range{.low = 4});
}

void AuditParameters::declare(ConfigSchema& schema) {
  schema.add("latent_patients", latent_patients, "Patients a domain for the latents",
             Range{.low = 100});
  schema.add("drawn_patients", drawn_patients, "Patients a domain for what needs no image",
             Range{.low = 100});
  schema.add("rendered_patients", rendered_patients,
             "Patients a domain for scores read from images", Range{.low = 20});
  schema.add("threshold_patients", threshold_patients, "Patients a domain for the threshold oracle",
             Range{.low = 1});
}

PhantomParameters::PhantomParameters() {
  paper = {.a = {100, 10, 40, 10},
           .b1 = {100, 10, 40, 10},
           .b2 = {50, 10, 40, 10},
           .c = {0, 0, 40, 0},
           .grid_scale = 0.75};
  quick = {.a = {24, 8, 8, 3}, .b1 = {24, 8, 8, 3}, .b2 = {24, 8, 8, 3}, .c = {0, 0, 24, 0}};
  tiny = {.a = {3, 1, 1, 2},
          .b1 = {3, 1, 1, 2},
          .b2 = {3, 1, 1, 2},
          .c = {0, 0, 2, 0},
          .grid_scale = 1.6};
  domains[0] = {.spacing_mm = {4.8, 3.2, 3.2},
                .stage_counts = {55, 25, 12, 38},
                .gamma = 1.0,
                .gain = 420,
                .bias = 0.45,
                .noise = 0.045};
  domains[1] = {.spacing_mm = {5.0, 3.0, 3.0},
                .stage_counts = {39, 29, 11, 91},
                .gamma = 0.85,
                .gain = 900,
                .bias = 0.60,
                .noise = 0.040};
  domains[2] = {.spacing_mm = {4.5, 3.3, 3.3},
                .stage_counts = {3, 10, 9, 38},
                .gamma = 1.15,
                .gain = 650,
                .bias = 0.50,
                .noise = 0.055};
  domains[3] = {.spacing_mm = {5.5, 3.5, 3.5},
                .stage_counts = {5, 18, 15, 32},
                .gamma = 1.3,
                .gain = 250,
                .bias = 0.65,
                .noise = 0.060};
}

void PhantomParameters::declare(ConfigSchema& schema) {
  ConfigSchema& s = schema;
  s.section("presets.paper", paper);
  s.section("presets.quick", quick);
  s.section("presets.tiny", tiny);
  for (int d = 0; d < kDomains; ++d) {
    s.section("domains." + std::string(kDomainNames[d]), domains[d]);
  }
  s.section("contrast", contrast);
  s.section("anatomy", anatomy);
  s.section("acquisition", acquisition);
  s.section("stage", stage);
  s.section("confound", confound);
  s.section("audit_sizes", audit);
}

const PresetParameters& PhantomParameters::preset(const std::string& name) const {
  if (name == "paper") {
    return paper;
  }
  require<ConfigError>(name == "quick" || name == "tiny",
                       "phantom: preset: wanted paper, quick or tiny, found '" + name + "'");
  return name == "quick" ? quick : tiny;
}

namespace {

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(double value) { return number(value); }
std::string text_of(const std::string& value) { return value; }
template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string text = "[";
  for (const T& value : values) {
    text += (text.size() > 1 ? ", " : "") + text_of(value);
  }
  return text + "]";
}

// Own text rather than the schema's: the frozen hash must not move when the look of YAML output
// does.
std::vector<std::pair<std::string, std::string>> entries_of(PhantomParameters& parameters) {
  ConfigSchema schema;
  parameters.declare(schema);
  std::vector<std::pair<std::string, std::string>> entries;
  for (const ConfigKey& key : schema.keys()) {
    entries.emplace_back(key.path,
                         std::visit([](const auto& value) { return text_of(value); }, key.get()));
  }
  return entries;
}

}  // namespace

std::uint64_t hash_of(PhantomParameters parameters) {
  std::string all;
  for (const auto& [path, value] : entries_of(parameters)) {
    all += path + "=" + value + "\n";
  }
  return xxh64(all);
}

std::string version_label(const PhantomParameters& parameters) {
  const std::uint64_t hash = hash_of(parameters);
  return hash == kVersion1Hash ? "v1" : "custom-" + to_hex(hash);
}

void check_version1_is_frozen() {
  const std::uint64_t hash = hash_of(PhantomParameters());
  require(hash == kVersion1Hash, "phantom: version 1 is frozen with hash " + to_hex(kVersion1Hash) +
                                     ", but the built-in parameters have " + to_hex(hash) +
                                     "; give changed parameters by --config or --set instead");
}

std::string to_yaml(PhantomParameters parameters) {
  std::string yaml;
  std::vector<std::string> open;
  for (const auto& [path, value] : entries_of(parameters)) {
    std::vector<std::string> parts;
    for (std::size_t from = 0, dot = 0; dot != std::string::npos; from = dot + 1) {
      dot = path.find('.', from);
      parts.push_back(path.substr(from, dot - from));
    }
    std::size_t shared = 0;
    while (shared < open.size() && shared + 1 < parts.size() && open[shared] == parts[shared]) {
      ++shared;
    }
    for (std::size_t level = shared; level < parts.size(); ++level) {
      const bool leaf = level + 1 == parts.size();
      yaml += std::string(2 * level, ' ') + parts[level] + ":" + (leaf ? " " + value : "") + "\n";
    }
    parts.pop_back();
    open = parts;
  }
  return yaml;
}

namespace {

template <class T>
void check_length(const std::string& path, const std::vector<T>& values, std::size_t wanted) {
  require<ConfigError>(values.size() == wanted, "phantom: " + path + ": wanted " +
                                                    std::to_string(wanted) + " numbers, found " +
                                                    std::to_string(values.size()));
}

void check_pair(const std::string& path, const std::vector<double>& values) {
  check_length(path, values, 2);
  require<ConfigError>(values[0] <= values[1],
                       "phantom: " + path + ": wanted [low, high], found " + text_of(values));
}

void check_preset(const std::string& name, const PresetParameters& preset) {
  for (int d = 0; d < kDomains; ++d) {
    const std::string path = "presets." + name + "." + std::string(kDomainNames[d]);
    check_length(path, preset.of_domain(d), 4);
    require<ConfigError>(preset.of_domain(d)[3] <= preset.of_domain(d)[0],
                         "phantom: " + path + ": more masks than training patients");
  }
}

}  // namespace

void check_lengths(const PhantomParameters& p) {
  check_preset("paper", p.paper);
  check_preset("quick", p.quick);
  check_preset("tiny", p.tiny);
  for (int d = 0; d < kDomains; ++d) {
    const std::string path = "domains." + std::string(kDomainNames[d]);
    check_length(path + ".spacing_mm", p.domains[d].spacing_mm, 3);
    check_length(path + ".stage_counts", p.domains[d].stage_counts, kStages);
  }
  for (int s = 0; s < kSequences; ++s) {
    check_length("contrast." + std::string(kSequenceNames[s]), p.contrast.table[s], kTissues);
  }
  check_pair("anatomy.liver_ml", p.anatomy.liver_ml);
  check_pair("anatomy.fat_mm", p.anatomy.fat_mm);
  check_pair("anatomy.muscle_mm", p.anatomy.muscle_mm);
  check_length("acquisition.fov_mm", p.acquisition.fov_mm, 3);
  check_pair("acquisition.shift_mm", p.acquisition.shift_mm);
  check_pair("acquisition.nonrigid_mm", p.acquisition.nonrigid_mm);
  check_pair("acquisition.dwi_coarser", p.acquisition.dwi_coarser);
  check_length("stage.means", p.stage.means, kStages);
  check_length("stage.texture_share", p.stage.texture_share, 2);
  check_length("stage.texture_length_mm", p.stage.texture_length_mm, 2);
}

}  // namespace hepar::phantom
