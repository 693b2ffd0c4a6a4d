#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/fusion.h>
#include <hepar/pipeline/statistics.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar::detail {

/// Figures of each patient, by name, then by patient.
using EvidenceFigures = std::map<std::string, std::map<std::string, double>>;

/// What scores rest on, each a mean over seeds and sequences: `cam_inside` (share of the evidence
/// in the mask), `mask_share` (of the mask in the box) and `cam_excess`, their difference. Without
/// the columns of scores.csv, empty.
EvidenceFigures activation_figures(const ViewTable& views);

/// `q4_change`: |q4 under another condition − q4|, mean over the seeds of both.
EvidenceFigures change_figures(const PatientTable& scored, const PatientTable& otherwise);

/// A figure of a row's patients, or its paired difference between two rows.
struct EvidenceLine {
  std::string group = {}, row = {}, minus = {};  ///< minus: empty for a row of its own
  std::string figure = {};
  std::size_t n = 0;  ///< patients
  double mean = 0;
  Interval interval = {};  ///< bootstrap over patients
};
Json to_json(const EvidenceLine& line);

/// The mean of `figures`, or with `minus` of the differences of patients who are in both, over
/// those patients that `takes` lets in; nothing where there is none.
std::optional<EvidenceLine> evidence_line(const std::map<std::string, double>& figures,
                                          const std::map<std::string, double>* minus,
                                          const std::vector<std::string>& patients,
                                          const BootstrapOptions& options);

}  // namespace hepar::detail
