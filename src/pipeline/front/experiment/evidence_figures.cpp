#include "experiment/evidence_figures.h"

#include <algorithm>
#include <cmath>

namespace hepar::detail {
namespace {

/// Means of what is added under a patient.
class Means {
 public:
  void add(const std::string& patient, double value) {
    auto& [sum, n] = sums_[patient];
    sum += value;
    ++n;
  }
  [[nodiscard]] std::map<std::string, double> values() const {
    std::map<std::string, double> means;
    for (const auto& [patient, entry] : sums_) {
      means[patient] = entry.first / static_cast<double>(entry.second);
    }
    return means;
  }

 private:
  std::map<std::string, std::pair<double, std::size_t>> sums_;
};

}  // namespace

EvidenceFigures activation_figures(const ViewTable& views) {
  std::map<std::string, Means> means;
  for (const auto& run : views.views) {
    for (std::size_t i = 0; i < run.size(); ++i) {
      for (const auto& [sequence, score] : run[i]) {
        if (score.cam_inside && score.mask_share) {
          const std::string& patient = views.patients[i].id;
          means["cam_inside"].add(patient, *score.cam_inside);
          means["mask_share"].add(patient, *score.mask_share);
          means["cam_excess"].add(patient, *score.cam_inside - *score.mask_share);
        }
      }
    }
  }
  EvidenceFigures figures;
  for (const auto& [name, of] : means) {
    figures[name] = of.values();
  }
  return figures;
}

EvidenceFigures change_figures(const PatientTable& scored, const PatientTable& otherwise) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < otherwise.patients.size(); ++i) {
    index[otherwise.patients[i].id] = i;
  }
  Means means;
  for (std::size_t run = 0; run < scored.seeds.size(); ++run) {
    const auto other = std::find(otherwise.seeds.begin(), otherwise.seeds.end(), scored.seeds[run]);
    for (std::size_t i = 0; other != otherwise.seeds.end() && i < scored.patients.size(); ++i) {
      const auto found = index.find(scored.patients[i].id);
      if (found != index.end()) {
        const auto at = static_cast<std::size_t>(other - otherwise.seeds.begin());
        means.add(scored.patients[i].id,
                  std::abs(otherwise.scores[at][found->second].q4 - scored.scores[run][i].q4));
      }
    }
  }
  return {{"q4_change", means.values()}};
}

std::optional<EvidenceLine> evidence_line(const std::map<std::string, double>& figures,
                                          const std::map<std::string, double>* minus,
                                          const std::vector<std::string>& patients,
                                          const BootstrapOptions& options) {
  std::vector<double> values;
  for (const std::string& patient : patients) {
    const auto found = figures.find(patient);
    const auto other = minus == nullptr ? found : minus->find(patient);
    if (found != figures.end() && (minus == nullptr || other != minus->end())) {
      values.push_back(found->second - (minus == nullptr ? 0 : other->second));
    }
  }
  if (values.empty()) {
    return std::nullopt;
  }
  EvidenceLine line;
  line.n = values.size();
  line.mean = mean(values);
  line.interval = bootstrap_mean(values, options);
  return line;
}

Json to_json(const EvidenceLine& line) {
  return {{"group", line.group},
          {"row", line.row},
          {"minus", line.minus.empty() ? Json(nullptr) : Json(line.minus)},
          {"figure", line.figure},
          {"n", line.n},
          {"mean", line.mean},
          {"bootstrap_ci", {line.interval.low, line.interval.high}}};
}

}  // namespace hepar::detail
