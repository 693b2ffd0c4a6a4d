#include <algorithm>
#include <cmath>
#include <numbers>

#include "hepar/core/parallel.h"
#include "phantom/audit_parts.h"
#include "phantom/render.h"

namespace hepar::phantom {

namespace {

constexpr double kTrivialAuc = 0.60;
constexpr double kSequenceAuc = 0.80;

std::string domain_name(int domain) { return std::string(kDomainNames[domain]); }

struct LatentScores {
  ScoredPatients patient, contour, cue;
  std::array<ScoredPatients, kSequences> sequence;
};

void add(ScoredPatients& patients, double score, int stage) {
  patients.score.push_back(score);
  patients.positive.push_back(stage == kStages - 1);
}

LatentScores latent_scores(const AuditRequest& request, int domain,
                           const PhantomParameters& parameters, Variant variant) {
  LatentScores scores;
  for (std::uint32_t i = 0; i < parameters.audit.latent_patients; ++i) {
    const PatientKey key{request.seed, domain, Split::kAudit, i};
    const int stage = audit_stage(key, parameters.domains[domain]);
    const Latents latents = draw_latents(key, stage, parameters, variant);
    add(scores.patient, latents.patient, stage);
    add(scores.contour, latents.contour, stage);
    add(scores.cue, latents.cue, stage);
    for (int s = 0; s < kSequences; ++s) {
      add(scores.sequence[s], latents.sequence[s], stage);
    }
  }
  return scores;
}

AuditRow within(const std::string& what, int domain, const ScoredPatients& patients,
                double wanted) {
  constexpr double kTolerance = 0.02;
  return {what,          domain_name(domain), static_cast<std::int64_t>(patients.score.size()),
          auc(patients), wanted - kTolerance, wanted + kTolerance};
}

// AUC of a reader who knows a training patient's scanner and nothing else.
AuditRow domain_only(const PhantomParameters& parameters) {
  ScoredPatients patients;
  for (int domain = 0; domain < kDomainC; ++domain) {
    const auto& counts = parameters.domains[domain].stage_counts;
    double total = 0;
    for (double stage_count : counts) {
      total += stage_count;
    }
    for (int stage = 0; stage < kStages; ++stage) {
      for (int i = 0; i < static_cast<int>(counts[stage]); ++i) {
        add(patients, counts[kStages - 1] / total, stage);
      }
    }
  }
  return {.what = "domain-only AUC",
          .where = "A, B1, B2",
          .n = static_cast<std::int64_t>(patients.score.size()),
          .value = auc(patients)};
}

}  // namespace

int audit_stage(const PatientKey& key, const DomainParameters& domain) {
  if (key.index % 2 == 1) {
    return kStages - 1;
  }
  const auto& counts = domain.stage_counts;
  RandomStream stream = stream_of(key, Draw::kCohort);
  double at = stream.uniform() * (counts[0] + counts[1] + counts[2]);
  for (int stage = 0; stage < kStages - 2; ++stage) {
    if (at < counts[stage]) {
      return stage;
    }
    at -= counts[stage];
  }
  return kStages - 2;
}

Patient audit_patient(const PatientKey& key, const PhantomParameters& parameters, Variant variant) {
  return make_patient({key, audit_stage(key, parameters.domains[key.domain]), variant, 1},
                      parameters);
}

AuditRow worthless(const std::string& what, const std::string& where,
                   const ScoredPatients& patients) {
  const double value = auc(patients);
  return {.what = what,
          .where = where,
          .n = static_cast<std::int64_t>(patients.score.size()),
          .value = std::max(value, 1 - value),
          .high = std::max(kTrivialAuc, 0.5 + 3.3 * chance_standard_error(patients))};
}

void audit_latents(const AuditRequest& request, const PhantomParameters& parameters,
                   std::vector<AuditRow>& rows) {
  for (int domain = 0; domain < kDomains; ++domain) {
    const LatentScores plain = latent_scores(request, domain, parameters, Variant::kPlain);
    const LatentScores confound = latent_scores(request, domain, parameters, Variant::kConfound);
    rows.push_back(within("latent, AUC of S4", domain, plain.patient, 0.90));
    AuditRow worst{.what = "one sequence's latent, AUC",
                   .where = domain_name(domain),
                   .n = parameters.audit.latent_patients,
                   .high = kSequenceAuc};
    for (const ScoredPatients& sequence : plain.sequence) {
      worst.value = std::max(worst.value, auc(sequence));
    }
    rows.push_back(worst);
    rows.push_back(
        worthless("contour's latent (mask alone), AUC", domain_name(domain), plain.contour));
    rows.push_back(within("confound: liver latent, AUC", domain, confound.patient, 0.85));
    rows.push_back(
        within("confound: cue alone, AUC", domain, confound.cue, domain == kDomainC ? 0.10 : 0.90));
  }
  rows.push_back(domain_only(parameters));
}

namespace {

// Worst AUC over every single "is it missing" and over their number.
AuditRow missing_pattern(const std::vector<Patient>& patients, int domain) {
  AuditRow worst;
  for (int s = 0; s < kSequences; ++s) {
    ScoredPatients scores;
    for (const Patient& patient : patients) {
      const auto all = std::count(patient.missing.begin(), patient.missing.end(), true);
      add(scores, s == kGed4 ? static_cast<double>(all) : patient.missing[s], patient.stage);
    }
    const AuditRow row = worthless("missing sequences, AUC", domain_name(domain), scores);
    worst = worst.n == 0 || row.value > worst.value ? row : worst;
  }
  return worst;
}

struct Range2 {
  double low = 1e9, high = -1e9;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

void push_range(const std::string& what, std::int64_t n, const Range2& found,
                const std::vector<double>& wanted, std::vector<AuditRow>& rows) {
  rows.push_back({what + ", smallest", "all", n, found.low, wanted[0]});
  rows.push_back(
      {.what = what + ", largest", .where = "all", .n = n, .value = found.high, .high = wanted[1]});
}

double length(const WorldMm& v) { return std::sqrt(v.r * v.r + v.a * v.a + v.s * v.s); }

// Angle of the rotation that takes the scanner's axes to the grid's.
double oblique_degrees(const Grid& grid) {
  const double trace =
      std::abs(grid.axis[0].s) + std::abs(grid.axis[1].a) + std::abs(grid.axis[2].r);
  return std::acos(std::clamp((trace - 1) / 2, -1.0, 1.0)) * 180 / std::numbers::pi;
}

struct Motion {
  Range2 shift, nonrigid, oblique, liver_ml;
  std::int64_t patients = 0;
};

void add_motion(const Patient& patient, const PhantomParameters& parameters, Motion& motion) {
  const Anatomy anatomy(patient, parameters);
  ++motion.patients;
  motion.liver_ml.add(anatomy.liver_ml());
  for (int s = 0; s < kSequences; ++s) {
    const Acquisition acquisition = draw_acquisition(patient, anatomy, s, parameters);
    motion.oblique.add(oblique_degrees(acquisition.grid));
    if (s != kGed4) {
      motion.shift.add(length(acquisition.shift));
      motion.nonrigid.add(std::abs(acquisition.nonrigid_mm));
    }
  }
}

}  // namespace

void audit_draws(const AuditRequest& request, const PhantomParameters& parameters,
                 std::vector<AuditRow>& rows) {
  constexpr std::uint32_t kMovedPatients = 25;
  Motion motion;
  double missing = 0;
  for (int domain = 0; domain < kDomains; ++domain) {
    std::vector<Patient> patients;
    for (std::uint32_t i = 0; i < parameters.audit.drawn_patients; ++i) {
      patients.push_back(
          audit_patient({request.seed, domain, Split::kAudit, i}, parameters, Variant::kPlain));
      missing += static_cast<double>(
          std::count(patients.back().missing.begin(), patients.back().missing.end(), true));
    }
    rows.push_back(missing_pattern(patients, domain));
    for (std::uint32_t i = 0; i < kMovedPatients; ++i) {
      add_motion(patients[i], parameters, motion);
    }
  }
  const std::int64_t drawn = kDomains * parameters.audit.drawn_patients;
  const double share = missing / static_cast<double>(drawn * (kSequences - 1));
  rows.push_back({"share of missing sequences (not GED4)", "all", drawn, share, 0.14, 0.16});
  push_range("rigid shift, mm", motion.patients, motion.shift, {5, 20}, rows);
  push_range("cranio-caudal non-rigid, mm", motion.patients, motion.nonrigid, {5, 15}, rows);
  push_range("oblique, degrees", motion.patients, motion.oblique, {0, 15}, rows);
  push_range("liver volume, ml", motion.patients, motion.liver_ml, {900, 2200}, rows);
}

}  // namespace hepar::phantom
