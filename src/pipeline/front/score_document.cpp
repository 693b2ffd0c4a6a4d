#include <hepar/core/text.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>

#include "case_scores.h"

namespace hepar::detail {
namespace {

using ByLabel = std::map<std::int64_t, MaskScores>;

struct Distance {
  const char* key;
  std::optional<double> MaskScores::*field;
};
constexpr std::array<Distance, 4> kDistances{{{"hd_mm", &MaskScores::hd_mm},
                                              {"hd95_mm", &MaskScores::hd95_mm},
                                              {"assd_mm", &MaskScores::assd_mm},
                                              {"hd95_pooled_mm", &MaskScores::hd95_pooled_mm}}};

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// One mask pair.
Json block_of(const MaskScores& scores) {
  Json block;
  block["dsc"] = scores.dsc;
  for (const Distance& distance : kDistances) {
    block[distance.key] = number_or_null(scores.*distance.field);
  }
  block["flags"] = Json::array();
  if (scores.both_empty) {
    block["flags"].push_back("both_empty");
  }
  if (!scores.undefined_reason.empty()) {
    block["flags"].push_back("undefined_distance");
    block["undefined"] = scores.undefined_reason;
  }
  return block;
}

// The mean over labels; a distance that one label lacks is undefined for the case.
MaskScores mean_over(const ByLabel& labels) {
  if (labels.size() == 1) {
    return labels.begin()->second;
  }
  MaskScores mean;
  mean.both_empty = true;
  const auto n = static_cast<double>(labels.size());
  std::vector<std::string> reasons;
  for (const auto& [label, scores] : labels) {
    mean.dsc += scores.dsc / n;
    mean.both_empty = mean.both_empty && scores.both_empty;
    if (!scores.undefined_reason.empty()) {
      reasons.push_back("label " + std::to_string(label) + ": " + scores.undefined_reason);
    }
  }
  mean.undefined_reason = join(reasons, ", ");
  if (reasons.empty()) {
    for (const Distance& distance : kDistances) {
      mean.*distance.field = std::accumulate(
          labels.begin(), labels.end(), 0.0,
          [&](double sum, const auto& entry) { return sum + *(entry.second.*distance.field) / n; });
    }
  }
  return mean;
}

Json blocks_of(const ByLabel& labels) {
  Json block = block_of(mean_over(labels));
  if (labels.size() > 1) {
    for (const auto& [label, scores] : labels) {
      block["labels"][std::to_string(label)] = block_of(scores);
    }
  }
  return block;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Json mean_or_null(const std::vector<double>& values) {
  return values.empty() ? Json(nullptr) : Json(mean_of(values));
}

Json sd_or_null(const std::vector<double>& values) {
  if (values.size() < 2) {
    return nullptr;
  }
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// One row of the summary: a mask pair per case, and the diagonal an undefined distance is charged
// with. With several labels a case is charged label by label.
struct Entry {
  const ByLabel* labels;
  double diagonal_mm;
};

double penalised(const Entry& entry, std::optional<double> MaskScores::*field) {
  double sum = 0;
  for (const auto& [label, scores] : *entry.labels) {
    sum += (scores.*field).value_or(entry.diagonal_mm);
  }
  return sum / static_cast<double>(entry.labels->size());
}

Json summary_of(const std::vector<Entry>& entries) {
  std::vector<double> dsc;
  int both_empty = 0;
  for (const Entry& entry : entries) {
    const MaskScores mean = mean_over(*entry.labels);
    dsc.push_back(mean.dsc);
    both_empty += mean.both_empty ? 1 : 0;
  }
  Json summary;
  summary["n"] = entries.size();
  summary["n_both_empty"] = both_empty;
  summary["dsc"] = {{"mean", mean_or_null(dsc)}, {"sd", sd_or_null(dsc)}};
  for (const Distance& distance : kDistances) {
    std::vector<double> finite;
    std::vector<double> charged;
    for (const Entry& entry : entries) {
      const MaskScores mean = mean_over(*entry.labels);
      if (mean.*distance.field) {
        finite.push_back(*(mean.*distance.field));
      }
      charged.push_back(penalised(entry, distance.field));
    }
    summary[distance.key] = {{"mean_finite", mean_or_null(finite)},
                             {"sd_finite", sd_or_null(finite)},
                             {"n_finite", finite.size()},
                             {"n_missed", entries.size() - finite.size()},
                             {"mean_penalised", mean_or_null(charged)}};
  }
  return summary;
}

Json summaries_of(const std::vector<CaseScores>& cases, ByLabel CaseScores::*which) {
  std::vector<Entry> all;
  std::map<std::int64_t, std::vector<ByLabel>> single;
  for (const CaseScores& scores : cases) {
    all.push_back({&(scores.*which), scores.diagonal_mm});
    for (const auto& [label, entry] : scores.*which) {
      single[label].push_back({{label, entry}});
    }
  }
  Json summary = summary_of(all);
  if (single.size() > 1) {
    for (const auto& [label, rows] : single) {
      std::vector<Entry> entries;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        entries.push_back({&rows[i], cases[i].diagonal_mm});
      }
      summary["labels"][std::to_string(label)] = summary_of(entries);
    }
  }
  return summary;
}

Json conventions() {
  return {
      {"grid", "the reference's own voxel grid; distances in mm"},
      {"pairs", "files of both folders with the same name up to .nii, .nii.gz or .hdr"},
      {"surface",
       "voxels removed by one erosion with the 6-neighbourhood, outside of the image counting as "
       "background (MONAI)"},
      {"hd_mm", "maximum of the surface distances in both directions (MONAI, medpy)"},
      {"hd95_mm", "larger of the two directions' 95th percentiles, linear interpolation (MONAI)"},
      {"hd95_pooled_mm", "95th percentile of both directions' distances pooled (medpy)"},
      {"assd_mm",
       "mean of both directions' distances pooled (medpy's assd, MONAI's symmetric average)"},
      {"both_empty", "dsc 1, distances 0, flag both_empty"},
      {"one_empty", "dsc 0, distances null, flag undefined_distance, reason in 'undefined'"},
      {"several_labels",
       "a case's own values are means over its labels; null where one label has none"},
      {"sd", "standard deviation over cases, divisor n - 1; null for fewer than two"},
      {"mean_penalised",
       "as mean_finite, with the diagonal of the reference image for undefined distances"},
      {"largest_component",
       "scores after keeping each label's largest component, 26-connected; all of those "
       "that tie for largest"},
      {"postprocessed", "scores after the steps of the postprocessing.json that was given"},
  };
}

std::string fixed(const Json& value, int digits) {
  if (value.is_null()) {
    return "-";
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value.get<double>());
  return text.data();
}

constexpr int kDscDigits = 4;
constexpr int kMmDigits = 2;

std::vector<std::string> cells_of(const Json& block) {
  std::vector<std::string> cells{fixed(block["dsc"], kDscDigits)};
  for (const char* key : {"hd_mm", "hd95_mm", "assd_mm"}) {
    cells.push_back(fixed(block[key], kMmDigits));
  }
  return cells;
}

std::vector<std::string> summary_cells(const Json& summary) {
  const auto pair = [](const Json& mean, const Json& sd, int digits) {
    return fixed(mean, digits) + " ± " + fixed(sd, digits);
  };
  std::vector<std::string> cells{pair(summary["dsc"]["mean"], summary["dsc"]["sd"], kDscDigits)};
  for (const char* key : {"hd_mm", "hd95_mm", "assd_mm"}) {
    cells.push_back(pair(summary[key]["mean_finite"], summary[key]["sd_finite"], kMmDigits));
  }
  return cells;
}

void append_row(std::vector<std::vector<std::string>>& rows, const std::string& name,
                const std::vector<std::string>& cells, const std::string& note) {
  rows.push_back({name});
  rows.back().insert(rows.back().end(), cells.begin(), cells.end());
  rows.back().push_back(note);
}

void append_summaries(std::vector<std::vector<std::string>>& rows, const Json& summary,
                      const std::string& name) {
  const std::string missed = std::to_string(summary["hd_mm"]["n_missed"].get<std::int64_t>());
  const std::string note = missed == "0" ? "" : missed + " without distances";
  append_row(rows, name, summary_cells(summary), note);
  if (summary.contains("labels")) {
    for (const auto& [label, block] : summary["labels"].items()) {
      append_row(rows, name + ", label " + label, summary_cells(block), "");
    }
  }
}

}  // namespace

Json document_of(const std::vector<CaseScores>& cases) {
  Json document;
  document["cases"] = Json::array();
  for (const CaseScores& scores : cases) {
    Json entry{{"id", scores.id}};
    entry.update(blocks_of(scores.raw));
    entry["image_diagonal_mm"] = scores.diagonal_mm;
    if (!scores.largest.empty()) {
      entry["largest_component"] = blocks_of(scores.largest);
    }
    if (!scores.postprocessed.empty()) {
      entry["postprocessed"] = blocks_of(scores.postprocessed);
    }
    document["cases"].push_back(std::move(entry));
  }
  document["summary"] = summaries_of(cases, &CaseScores::raw);
  if (!cases.empty() && !cases.front().largest.empty()) {
    document["summary"]["largest_component"] = summaries_of(cases, &CaseScores::largest);
  }
  if (!cases.empty() && !cases.front().postprocessed.empty()) {
    document["summary"]["postprocessed"] = summaries_of(cases, &CaseScores::postprocessed);
  }
  document["conventions"] = conventions();
  return document;
}

std::string table_of(const Json& document) {
  std::vector<std::vector<std::string>> rows{{"case", "DSC", "HD mm", "HD95 mm", "ASSD mm", ""}};
  for (const Json& entry : document["cases"]) {
    const std::string note = entry.contains("undefined")
                                 ? entry["undefined"].get<std::string>()
                                 : (entry["flags"].empty() ? "" : "both empty");
    append_row(rows, entry["id"], cells_of(entry), note);
  }
  const Json& summary = document["summary"];
  append_summaries(rows, summary,
                   "mean ± sd, n = " + std::to_string(summary["n"].get<std::int64_t>()));
  if (summary.contains("largest_component")) {
    append_summaries(rows, summary["largest_component"], "largest component");
  }
  if (summary.contains("postprocessed")) {
    append_summaries(rows, summary["postprocessed"], "post-processed");
  }
  std::string table = format_table(rows);
  table.pop_back();  // whoever prints it ends the line
  return table;
}

}  // namespace hepar::detail
