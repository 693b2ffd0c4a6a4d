#include <gtest/gtest.h>

#include <algorithm>

#include "hepar/core/error.h"
#include "phantom/audit.h"
#include "phantom/audit_parts.h"
#include "phantom/phantom_command.h"

namespace hepar::phantom {
namespace {

constexpr AuditRequest kSmall{
    .seed = 1, .rendered_patients = 20, .threshold_patients = 1, .threads = 2};

const AuditRow& row_of(const std::vector<AuditRow>& rows, const std::string& what,
                       const std::string& where) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const AuditRow& row) {
    return row.what == what && row.where == where;
  });
  require(found != rows.end(), "no row " + what + " of " + where);
  return *found;
}

template <class Part>
std::vector<AuditRow> measured(Part part, const PhantomParameters& parameters) {
  std::vector<AuditRow> rows;
  part(kSmall, parameters, rows);
  return rows;
}

TEST(PhantomAudit, PassesForVersion1WhereNothingIsRendered) {
  std::vector<AuditRow> rows = measured(audit_latents, {});
  audit_draws(kSmall, {}, rows);

  EXPECT_NO_THROW(require_passed(rows)) << format(rows);
  EXPECT_FALSE(row_of(rows, "domain-only AUC", "A, B1, B2").bounded());
}

TEST(PhantomAudit, FailsWhenOneSequenceTellsTooMuch) {
  PhantomParameters parameters;
  parameters.stage.sequence_noise = 0.5;
  const auto rows = measured(audit_latents, parameters);

  EXPECT_FALSE(row_of(rows, "one sequence's latent, AUC", "B1").passed());
  EXPECT_TRUE(row_of(rows, "latent, AUC of S4", "B1").passed());
  EXPECT_THROW(require_passed(rows), Error);
}

TEST(PhantomAudit, FailsWhenTheMaskTellsTheStage) {
  PhantomParameters parameters;
  parameters.stage.contour_noise = 2;

  EXPECT_FALSE(
      row_of(measured(audit_latents, parameters), "contour's latent (mask alone), AUC", "A")
          .passed());
}

TEST(PhantomAudit, FailsWhenTheStageHasLittleEffect) {
  PhantomParameters parameters;
  parameters.stage.means = {0, 0.1, 0.2, 1};

  EXPECT_FALSE(row_of(measured(audit_latents, parameters), "latent, AUC of S4", "A").passed());
}

TEST(PhantomAudit, FailsWhenPatientsMoveTooFar) {
  PhantomParameters parameters;
  parameters.acquisition.shift_mm = {5, 40};
  parameters.acquisition.missing = 0.5;
  const auto rows = measured(audit_draws, parameters);

  EXPECT_FALSE(row_of(rows, "rigid shift, mm, largest", "all").passed());
  EXPECT_FALSE(row_of(rows, "share of missing sequences (not GED4)", "all").passed());
}

TEST(PhantomAudit, BoundsTheBestThresholdOnWholeImages) {
  const auto rows = measured(audit_thresholds, {});

  EXPECT_TRUE(row_of(rows, "best threshold + largest component, DSC", "all").passed())
      << format(rows);
  EXPECT_GT(row_of(rows, "best threshold + largest component, DSC", "all").value, 0.2);
}

TEST(PhantomAudit, FailsWhenAThresholdFindsTheLiver) {
  PhantomParameters parameters;
  for (std::size_t tissue = 0; tissue + 1 < kTissues; ++tissue) {
    parameters.contrast.table[kGed4][tissue] *= 0.4;
  }

  EXPECT_FALSE(row_of(measured(audit_thresholds, parameters),
                      "best threshold + largest component, DSC", "all")
                   .passed());
}

TEST(PhantomAudit, FailsWhenTheCueIsLoud) {
  PhantomParameters parameters;
  parameters.confound.amplitude = 0.2;

  EXPECT_FALSE(
      row_of(measured(audit_cue, parameters), "confound: cue's change of crop sd", "all").passed());
  EXPECT_TRUE(row_of(measured(audit_cue, {}), "confound: cue's change of crop sd", "all").passed());
}

TEST(PhantomAudit, ReadsTheTextureFromImages) {
  PhantomParameters parameters;
  parameters.stage.sequence_noise = 0;  // so that twenty patients are enough to see it
  parameters.stage.means = {0, 0, 0, 6};
  const auto rows = measured(audit_images, parameters);

  for (const char* domain : {"A", "B1", "B2", "C"}) {
    EXPECT_GT(row_of(rows, "texture read from GED4, AUC", domain).value, 0.85) << domain;
    EXPECT_TRUE(row_of(rows, "liver sd, AUC", domain).passed()) << domain;
  }
}

TEST(PhantomAudit, EndsTheCommandWithAnErrorOfExit1) {
  try {
    run_phantom_command({"--audit", "--audit-patients", "20", "--set", "stage.sequence_noise=0.2",
                         "--set", "audit_sizes.latent_patients=2000"});
    FAIL() << "a broken promise passed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kFailure);
    EXPECT_NE(std::string(e.what()).find("one sequence's latent"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace hepar::phantom
