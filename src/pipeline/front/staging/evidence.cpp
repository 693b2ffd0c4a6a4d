#include "staging/evidence.h"

#include <utility>

namespace hepar::detail {
namespace {

bool needs_weights(const FusionConfig& fusion, const ViewTable& views) {
  return fusion.rule == "auc_weighted" && views.per_sequence;
}

void override_priors(FusionFit& fit, const std::optional<StagePrior>& prior) {
  if (prior) {
    for (auto& fitted : fit.priors) {
      fitted = prior;
    }
  }
}

/// The out-of-fold table, fused by its own folds.
PatientTable fuse_source(const ViewTable& views, const EvidenceRequest& request) {
  const FitPlan plan = make_fit_plan(views.patients, nullptr);
  FusionFit fit{.priors = fitted_priors(views.patients, plan, views.patients), .weights = {}};
  override_priors(fit, request.train_prior);
  if (needs_weights(request.fusion, views) && !plan.groups.empty()) {
    fit.weights = fit_weights(views, plan, views);
  }
  return fuse(views, request.fusion, fit);
}

}  // namespace

std::optional<ViewTable> read_fit_table(const std::string& path) {
  return path.empty() ? std::nullopt
                      : std::optional(read_score_table({.scores = path, .cases = ""}));
}

LoadedEvidence::LoadedEvidence(const EvidenceRequest& request)
    : LoadedEvidence(read_score_table(request.table), request) {}

LoadedEvidence::LoadedEvidence(ViewTable views, const EvidenceRequest& request)
    : fusion_(request.fusion), views_(std::move(views)) {
  const std::optional<ViewTable>& source = request.fit;
  if (source) {
    source_ = fuse_source(*source, request);
  }
  plan_ = make_fit_plan(views_.patients, source ? &source->patients : nullptr);
  const ViewTable& fitted_on = source ? *source : views_;
  fit_.priors = fitted_priors(views_.patients, plan_, fitted_on.patients);
  override_priors(fit_, request.train_prior);
  if (needs_weights(fusion_, views_) && !plan_.groups.empty()) {
    fit_.weights = fit_weights(views_, plan_, fitted_on);
  }
  scored_ = fuse(views_, fusion_, fit_);
}

}  // namespace hepar::detail
