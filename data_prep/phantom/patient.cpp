#include "phantom/patient.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <span>

#include "hepar/core/error.h"

namespace hepar::phantom {

namespace {

constexpr int kFirstNumber = 1001;
constexpr int kNumbers =
    480;  // few enough that the numbers of two domains collide, as the real ones do

std::string numbered(const Patient& patient) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d", patient.number);
  return std::string(text) + "-" + std::string(kDomainNames[patient.key.domain]);
}

RandomStream cohort_stream(std::uint64_t seed, int domain, std::uint32_t part) {
  return RandomStream({seed, Purpose::kPhantom,
                       1000U + static_cast<std::uint64_t>(domain) * 16U + part,
                       static_cast<std::uint32_t>(Draw::kCohort)});
}

std::vector<std::int64_t> shuffled(std::vector<std::int64_t> values, RandomStream stream) {
  stream.shuffle(values);
  return values;
}

std::vector<std::int64_t> numbers_of_domain(std::uint64_t seed, int domain, std::size_t patients) {
  std::vector<std::int64_t> numbers(std::max<std::size_t>(kNumbers, patients));
  std::iota(numbers.begin(), numbers.end(), kFirstNumber);
  return shuffled(std::move(numbers), cohort_stream(seed, domain, 0));
}

// Largest remainder, so that even a small cohort has the domain's skew.
std::vector<std::int64_t> stages_of(const std::vector<double>& frequencies, std::int64_t patients) {
  const double total = std::accumulate(frequencies.begin(), frequencies.end(), 0.0);
  std::vector<std::int64_t> counts(kStages);
  std::vector<std::pair<double, int>> remainders;
  for (int s = 0; s < kStages; ++s) {
    const double wanted = frequencies[s] / total * static_cast<double>(patients);
    counts[s] = static_cast<std::int64_t>(std::floor(wanted));
    remainders.emplace_back(-(wanted - std::floor(wanted)), s);
  }
  std::sort(remainders.begin(), remainders.end());
  std::int64_t left = patients - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (std::size_t i = 0; left > 0; ++i, --left) {
    ++counts[remainders[i % kStages].second];
  }
  std::vector<std::int64_t> stages;
  for (int s = 0; s < kStages; ++s) {
    stages.insert(stages.end(), static_cast<std::size_t>(counts[s]), s);
  }
  return stages;
}

/// Exchanges the cues of the strongest and the weakest, of the next of each, and so on; the one in
/// the middle of an odd number keeps its own.
void swap_cues(std::span<Patient> group) {
  std::vector<Patient*> by_cue;
  for (Patient& patient : group) {
    by_cue.push_back(&patient);
  }
  std::stable_sort(by_cue.begin(), by_cue.end(), [](const Patient* a, const Patient* b) {
    return a->latents.cue < b->latents.cue;
  });
  for (std::size_t i = 0, j = by_cue.size(); i + 1 < j; ++i, --j) {
    std::swap(by_cue[i]->latents.cue, by_cue[j - 1]->latents.cue);
  }
}

}  // namespace

const std::vector<std::string>& variant_names() {
  static const std::vector<std::string> kNames{"plain", "confound", "swapped"};
  return kNames;
}

const std::string& to_string(Variant variant) {
  return variant_names()[static_cast<std::size_t>(variant)];
}

Variant variant_from(const std::string& name) {
  const auto& names = variant_names();
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), "variant: no '" + name + "'");
  return static_cast<Variant>(found - names.begin());
}

std::string Patient::id() const { return numbered(*this); }
std::string Patient::id_with_stage() const {
  return numbered(*this) + "-S" + std::to_string(stage + 1);
}

RandomStream stream_of(const PatientKey& key, Draw draw, int sequence) {
  const std::uint64_t patient = (static_cast<std::uint64_t>(key.domain) << 56U) |
                                (static_cast<std::uint64_t>(key.split) << 48U) | (1ULL << 40U) |
                                key.index;
  return RandomStream({key.seed, Purpose::kPhantom, patient,
                       static_cast<std::uint32_t>(draw) + static_cast<std::uint32_t>(sequence)});
}

Latents draw_latents(const PatientKey& key, int stage, const PhantomParameters& p,
                     Variant variant) {
  RandomStream stream = stream_of(key, Draw::kLatents);
  const double scale = variant == Variant::kPlain ? 1.0 : p.confound.latent_scale;
  Latents latents;
  latents.patient = scale * p.stage.means[stage] + stream.normal();
  latents.contour = latents.patient + p.stage.contour_noise * stream.normal();
  const double agree = key.domain == kDomainC ? -1.0 : 1.0;
  latents.cue =
      agree * (stage == kStages - 1 ? 0.5 : -0.5) * p.confound.separation + stream.normal();
  for (double& latent : latents.sequence) {
    latent = latents.patient + p.stage.sequence_noise * stream.normal();
  }
  return latents;
}

Patient make_patient(const PatientRequest& request, const PhantomParameters& parameters) {
  Patient patient;
  patient.key = request.key;
  patient.variant = request.variant;
  patient.stage = request.stage;
  patient.number = kFirstNumber + static_cast<int>(request.key.index);
  patient.grid_scale = request.grid_scale;
  patient.latents = draw_latents(request.key, request.stage, parameters, request.variant);
  RandomStream stream = stream_of(request.key, Draw::kMissing);
  for (int s = 0; s < kSequences; ++s) {
    patient.missing[s] = stream.chance(parameters.acquisition.missing) && s != kGed4;
  }
  return patient;
}

std::vector<Patient> make_cohort(const CohortRequest& request,
                                 const PhantomParameters& parameters) {
  const PresetParameters& preset = parameters.preset(request.preset);
  std::vector<Patient> cohort;
  for (int domain = 0; domain < kDomains; ++domain) {
    const std::vector<std::int64_t>& counts = preset.of_domain(domain);
    const auto total = static_cast<std::size_t>(counts[0] + counts[1] + counts[2]);
    const auto numbers = numbers_of_domain(request.seed, domain, total);
    std::size_t used = 0;
    for (std::uint32_t split = 0; split < 3; ++split) {
      const auto stages =
          shuffled(stages_of(parameters.domains[domain].stage_counts, counts[split]),
                   cohort_stream(request.seed, domain, 1 + split));
      for (std::uint32_t i = 0; i < stages.size(); ++i) {
        const PatientKey key{request.seed, domain, static_cast<Split>(split), i};
        Patient patient = make_patient(
            {key, static_cast<int>(stages[i]), request.variant, preset.grid_scale}, parameters);
        patient.number = static_cast<int>(numbers[used++]);
        patient.has_mask = patient.key.split != Split::kTrain || i < counts[3];
        cohort.push_back(patient);
      }
      if (request.variant == Variant::kSwapped) {
        swap_cues(std::span(cohort).last(stages.size()));
      }
    }
  }
  return cohort;
}

}  // namespace hepar::phantom
