#pragma once
#include "phantom/audit.h"
#include "phantom/scores.h"

namespace hepar::phantom {

/// Latents alone: AUC of the patient's, of one sequence's, of the contour's, of the cue's;
/// domain-only AUC.
void audit_latents(const AuditRequest& request, const PhantomParameters& parameters,
                   std::vector<AuditRow>& rows);
/// What is drawn but needs no image: pattern of missing sequences, voxel sizes, motion,
/// obliqueness.
void audit_draws(const AuditRequest& request, const PhantomParameters& parameters,
                 std::vector<AuditRow>& rows);
/// Scores read from GED4, rendered around the liver.
void audit_images(const AuditRequest& request, const PhantomParameters& parameters,
                  std::vector<AuditRow>& rows);
/// Best global threshold and largest component on whole GED4 images.
void audit_thresholds(const AuditRequest& request, const PhantomParameters& parameters,
                      std::vector<AuditRow>& rows);
/// Mean and sd of the crop with the confounding cue against without.
void audit_cue(const AuditRequest& request, const PhantomParameters& parameters,
               std::vector<AuditRow>& rows);

/// Stage of the i-th audited patient of a domain: S4 for odd i, else the domain's mix of S1–S3.
int audit_stage(const PatientKey& key, const DomainParameters& domain);
Patient audit_patient(const PatientKey& key, const PhantomParameters& parameters, Variant variant);

/// A score that must tell nothing: its AUC, or one minus it, is at most 0.60. With few patients a
/// worthless score can be further off by chance: 0.5 + 3.3 standard errors (1 in 1,000, for some
/// thirty such rows).
AuditRow worthless(const std::string& what, const std::string& where,
                   const ScoredPatients& patients);

}  // namespace hepar::phantom
