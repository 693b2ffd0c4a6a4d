#include <algorithm>
#include <array>
#include <cmath>

#include "hepar/core/parallel.h"
#include "phantom/audit_parts.h"
#include "phantom/render.h"

namespace hepar::phantom {

namespace {

struct ImageReading {
  RegionStatistics statistics;
  SpacingMm spacing;
  int stage = 0;
};

RenderedSequence render_crop(const Patient& patient, const PhantomParameters& parameters) {
  const Anatomy anatomy(patient, parameters);
  Acquisition acquisition = draw_acquisition(patient, anatomy, kGed4, parameters);
  acquisition.grid = crop_to_liver(acquisition, anatomy);
  return render(patient, anatomy, acquisition, parameters);
}

ImageReading read_image(const Patient& patient, const PhantomParameters& parameters) {
  const RenderedSequence crop = render_crop(patient, parameters);
  return {region_statistics(crop.image.voxels, crop.mask, crop.image.grid), crop.image.grid.spacing,
          patient.stage};
}

struct TrivialScore {
  const char* name;
  double (*of)(const ImageReading& reading);
};

constexpr std::array<TrivialScore, 7> kTrivialScores{{
    {"liver mean, AUC", [](const ImageReading& r) { return r.statistics.mean; }},
    {"liver sd, AUC", [](const ImageReading& r) { return r.statistics.sd; }},
    {"liver volume, AUC", [](const ImageReading& r) { return r.statistics.volume_ml; }},
    {"VOI size, AUC", [](const ImageReading& r) { return r.statistics.box_ml; }},
    {"mask roughness, AUC", [](const ImageReading& r) { return r.statistics.compactness; }},
    {"slice spacing, AUC", [](const ImageReading& r) { return r.spacing.z; }},
    {"in-plane spacing, AUC", [](const ImageReading& r) { return r.spacing.x; }},
}};

ScoredPatients scored(const std::vector<ImageReading>& readings,
                      double (*score)(const ImageReading&)) {
  ScoredPatients patients;
  for (const ImageReading& reading : readings) {
    patients.score.push_back(score(reading));
    patients.positive.push_back(reading.stage == kStages - 1);
  }
  return patients;
}

}  // namespace

void audit_images(const AuditRequest& request, const PhantomParameters& parameters,
                  std::vector<AuditRow>& rows) {
  const std::int64_t n = request.rendered_patients > 0 ? request.rendered_patients
                                                       : parameters.audit.rendered_patients;
  for (int domain = 0; domain < kDomains; ++domain) {
    const std::string name(kDomainNames[domain]);
    std::vector<ImageReading> readings(static_cast<std::size_t>(n));
    parallel_for(n, request.threads, [&](std::int64_t i) {
      const PatientKey key{request.seed, domain, Split::kAudit, static_cast<std::uint32_t>(i)};
      readings[static_cast<std::size_t>(i)] =
          read_image(audit_patient(key, parameters, Variant::kPlain), parameters);
    });
    for (const TrivialScore& score : kTrivialScores) {
      rows.push_back(worthless(score.name, name, scored(readings, score.of)));
    }
    const ScoredPatients texture =
        scored(readings, [](const ImageReading& r) { return r.statistics.neighbours; });
    // The signal must be there too: at least half way from chance to what one sequence may tell.
    const double chance = 2 * chance_standard_error(texture);
    rows.push_back(
        {"texture read from GED4, AUC", name, n, auc(texture), 0.65 - chance, 0.80 + chance});
  }
}

void audit_thresholds(const AuditRequest& request, const PhantomParameters& parameters,
                      std::vector<AuditRow>& rows) {
  constexpr double kMostDice = 0.75;
  const std::int64_t n = request.threshold_patients > 0 ? request.threshold_patients
                                                        : parameters.audit.threshold_patients;
  std::vector<double> dice(static_cast<std::size_t>(kDomains * n));
  parallel_for(kDomains * n, request.threads, [&](std::int64_t i) {
    const PatientKey key{request.seed, static_cast<int>(i / n), Split::kAudit,
                         static_cast<std::uint32_t>(i % n)};
    const Patient patient = audit_patient(key, parameters, Variant::kPlain);
    const Anatomy anatomy(patient, parameters);
    const RenderedSequence whole =
        render(patient, anatomy, draw_acquisition(patient, anatomy, kGed4, parameters), parameters);
    dice[static_cast<std::size_t>(i)] =
        best_threshold_dice(whole.image.voxels, whole.mask, whole.image.grid.size);
  });
  double all = 0;
  for (int domain = 0; domain < kDomains; ++domain) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      sum += dice[static_cast<std::size_t>(domain * n + i)];
    }
    all += sum;
    rows.push_back({"best threshold + largest component, DSC", std::string(kDomainNames[domain]), n,
                    sum / static_cast<double>(n), 0, kMostDice});
  }
  rows.push_back({"best threshold + largest component, DSC", "all", kDomains * n,
                  all / static_cast<double>(kDomains * n), 0, kMostDice});
}

void audit_cue(const AuditRequest& request, const PhantomParameters& parameters,
               std::vector<AuditRow>& rows) {
  constexpr std::int64_t kPatients = 3;  // per domain; the largest change counts
  constexpr double kMostChange = 0.01;
  PhantomParameters without = parameters;
  without.confound.amplitude = 0;
  std::vector<std::array<double, 2>> change(kDomains * kPatients);
  parallel_for(kDomains * kPatients, request.threads, [&](std::int64_t i) {
    const PatientKey key{request.seed, static_cast<int>(i / kPatients), Split::kAudit,
                         static_cast<std::uint32_t>(i % kPatients)};
    const Patient patient = audit_patient(key, parameters, Variant::kConfound);
    const RenderedSequence with_cue = render_crop(patient, parameters);
    const RenderedSequence plain = render_crop(patient, without);
    const RegionStatistics a =
        region_statistics(with_cue.image.voxels, with_cue.mask, with_cue.image.grid);
    const RegionStatistics b = region_statistics(plain.image.voxels, plain.mask, plain.image.grid);
    change[static_cast<std::size_t>(i)] = {std::abs(a.box_mean / b.box_mean - 1),
                                           std::abs(a.box_sd / b.box_sd - 1)};
  });
  AuditRow mean{
      "confound: cue's change of crop mean", "all", kDomains * kPatients, 0, 0, kMostChange};
  AuditRow sd{"confound: cue's change of crop sd", "all", kDomains * kPatients, 0, 0, kMostChange};
  for (const auto& [of_mean, of_sd] : change) {
    mean.value = std::max(mean.value, of_mean);
    sd.value = std::max(sd.value, of_sd);
  }
  rows.push_back(mean);
  rows.push_back(sd);
}

}  // namespace hepar::phantom
