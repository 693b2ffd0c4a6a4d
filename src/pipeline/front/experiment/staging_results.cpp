#include "experiment/staging_results.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "experiment/row_trials.h"
#include "hepar/core/error.h"
#include "hepar/core/version.h"
#include "staging/evidence.h"
#include "staging/merged_scores.h"

namespace hepar::detail {
namespace {

constexpr const char* kAll = "all";
constexpr const char* kIn = "ID";
constexpr const char* kOut = "OOD";

std::string csv_of(const std::filesystem::path& output) {
  return (std::filesystem::is_directory(output) ? output / "scores.csv" : output).string();
}

bool is_in(const std::string& group, const ScoredPatient& patient,
           const std::vector<std::string>& ood) {
  const bool out = std::find(ood.begin(), ood.end(), patient.domain) != ood.end();
  return group == kAll || group == patient.domain || (group == kIn && !out) ||
         (group == kOut && out);
}

/// Some patients and some runs of a table.
PatientTable part_of(const PatientTable& table, const std::vector<std::size_t>& patients,
                     const std::vector<std::size_t>& runs) {
  PatientTable part = table;
  part.patients.clear();
  part.from_prior.clear();
  part.seeds.clear();
  part.scores.clear();
  for (const std::size_t i : patients) {
    part.patients.push_back(table.patients[i]);
    part.from_prior.push_back(table.from_prior[i]);
  }
  for (const std::size_t run : runs) {
    part.seeds.push_back(table.seeds[run]);
    auto& scores = part.scores.emplace_back();
    for (const std::size_t i : patients) {
      scores.push_back(table.scores[run][i]);
    }
  }
  return part;
}

std::vector<std::size_t> runs_with(const PatientTable& table,
                                   const std::vector<std::int64_t>* seeds) {
  std::vector<std::size_t> runs;
  for (std::size_t run = 0; run < table.seeds.size(); ++run) {
    if (seeds == nullptr ||
        std::find(seeds->begin(), seeds->end(), table.seeds[run]) != seeds->end()) {
      runs.push_back(run);
    }
  }
  return runs;
}

class StagingCollector {
 public:
  explicit StagingCollector(const TrialStore& store) : trials_(store) {}

  StagingResults collect() {
    const TableSpec& table = trials_.table();
    results_.experiment = trials_.experiment().name;
    results_.title = trials_.title();
    results_.code_version = version();
    results_.paper = table.paper;
    results_.options.ood = table.ood;
    results_.options.bootstrap.draws = table.draws;
    for (const auto& [name, title] : trials_.rows()) {
      results_.rows.push_back(read_row(name, title));
    }
    name_groups();
    for (StagingRow& row : results_.rows) {
      for (const std::string& group : row.scored ? results_.groups : std::vector<std::string>{}) {
        row.folds[group] = fold_block(in_group(*row.scored, group, nullptr));
      }
    }
    for (const char* group : {kAll, kIn, kOut}) {
      if (std::find(results_.groups.begin(), results_.groups.end(), group) !=
          results_.groups.end()) {
        compare_rows(group);
        add_evidence(group);
      }
    }
    note_unknown_groups();
    return std::move(results_);
  }

 private:
  StagingRow read_row(const std::string& name, const std::string& title) {
    const auto rule = trials_.table().fusion.find(name);
    FusionConfig fusion;
    fusion.rule = rule == trials_.table().fusion.end() ? fusion.rule : rule->second;
    StagingRow row{.name = name, .title = title, .fusion = fusion.rule};
    const TableSpec& table = trials_.table();
    row.source = trials_.of_row(table.scores, name);
    std::optional<ViewTable> own_views = merged(row.source, row);
    if (!own_views) {
      return row;
    }
    EvidenceRequest request;
    request.fit = views_of_stage(table.fit, row);
    request.fusion.rule = row.fusion;
    const auto evidence_of = [&](ViewTable views) {
      return LoadedEvidence(std::move(views), request);
    };
    const LoadedEvidence own = evidence_of(std::move(*own_views));
    row.document = score_document(own.evidence(), results_.options);
    row.scored = own.scored();
    row.evidence = activation_figures(own.views());
    if (auto swapped = views_of_stage(table.swapped, row)) {
      const LoadedEvidence other = evidence_of(std::move(*swapped));
      row.evidence.merge(change_figures(own.scored(), other.scored()));
    }
    if (auto noise = views_of_stage(table.noise, row)) {
      const LoadedEvidence other = evidence_of(std::move(*noise));
      row.noise = score_document(other.evidence(), results_.options);
    }
    return row;
  }

  std::optional<ViewTable> views_of_stage(const std::string& stage, const StagingRow& row) {
    if (stage.empty()) {
      return std::nullopt;
    }
    const RowTrials trials = trials_.of_row(stage, row.name);
    for (const std::string& missing : trials.missing) {
      results_.notes.push_back(row.title + ": " + stage + " is missing, " + missing);
    }
    return merged(trials, row);
  }

  /// The scores of all trials that are done; none without any.
  std::optional<ViewTable> merged(const RowTrials& trials, const StagingRow& row) {
    std::vector<std::string> files;
    std::transform(trials.outputs.begin(), trials.outputs.end(), std::back_inserter(files), csv_of);
    if (files.empty()) {
      return std::nullopt;
    }
    MergedScores scores = merge_score_tables(files);
    for (const std::string& reason : scores.left_out) {
      results_.notes.push_back(row.title + ": left out, " + reason);
    }
    return std::move(scores.table);
  }

  /// Rows, then pairs, under one group.
  void add_evidence(const std::string& group) {
    for (const StagingRow& row : results_.rows) {
      add_evidence({.group = group, .row = row.name}, row.evidence, nullptr);
    }
    for (const auto& [name, minus] : trials_.table().compare) {
      add_evidence({.group = group, .row = name, .minus = minus}, row_of(name).evidence,
                   &row_of(minus).evidence);
    }
  }

  void add_evidence(const EvidenceLine& as, const EvidenceFigures& figures,
                    const EvidenceFigures* minus) {
    std::vector<std::string> patients;
    for (const ScoredPatient& patient :
         row_of(as.row).scored ? row_of(as.row).scored->patients : std::vector<ScoredPatient>{}) {
      if (is_in(as.group, patient, results_.options.ood)) {
        patients.push_back(patient.id);
      }
    }
    for (const auto& [name, values] : figures) {
      if (minus != nullptr && !minus->contains(name)) {
        continue;
      }
      const auto* other = minus == nullptr ? nullptr : &minus->at(name);
      if (auto line = evidence_line(values, other, patients, results_.options.bootstrap)) {
        line->group = as.group;
        line->row = as.row;
        line->minus = as.minus;
        line->figure = name;
        results_.evidence.push_back(*line);
      }
    }
  }

  void name_groups() {
    std::set<std::string> domains;
    for (const StagingRow& row : results_.rows) {
      for (const ScoredPatient& patient :
           row.scored ? row.scored->patients : std::vector<ScoredPatient>{}) {
        domains.insert(patient.domain);
      }
    }
    domains.erase("");
    results_.groups.emplace_back(kAll);
    const std::vector<std::string>& ood = results_.options.ood;
    const auto is_ood = [&](const std::string& domain) {
      return std::find(ood.begin(), ood.end(), domain) != ood.end();
    };
    if (std::any_of(domains.begin(), domains.end(), is_ood) &&
        !std::all_of(domains.begin(), domains.end(), is_ood)) {
      results_.groups.emplace_back(kIn);
      results_.groups.emplace_back(kOut);
    }
    results_.groups.insert(results_.groups.end(), domains.begin(), domains.end());
  }

  [[nodiscard]] PatientTable in_group(const PatientTable& table, const std::string& group,
                                      const std::vector<std::int64_t>* seeds) const {
    std::vector<std::size_t> patients;
    for (std::size_t i = 0; i < table.patients.size(); ++i) {
      if (is_in(group, table.patients[i], results_.options.ood)) {
        patients.push_back(i);
      }
    }
    return part_of(table, patients, runs_with(table, seeds));
  }

  [[nodiscard]] const StagingRow& row_of(const std::string& name) const {
    return *std::find_if(results_.rows.begin(), results_.rows.end(),
                         [&](const StagingRow& row) { return row.name == name; });
  }

  /// The two tables of a pair: their common seeds; a reason where there is nothing to compare.
  std::string pair_up(const StagingDifference& pair, std::vector<PatientTable>& tables) const {
    const StagingRow& first = row_of(pair.row);
    const StagingRow& second = row_of(pair.minus);
    for (const StagingRow* of : {&first, &second}) {
      if (!of->scored) {
        return "missing: " + of->title + " has no result";
      }
    }
    std::vector<std::int64_t> seeds;
    std::set_intersection(first.scored->seeds.begin(), first.scored->seeds.end(),
                          second.scored->seeds.begin(), second.scored->seeds.end(),
                          std::back_inserter(seeds));
    const bool single = first.scored->seeds.size() == 1 && second.scored->seeds.size() == 1;
    if (seeds.empty() && !single) {
      return "missing: no seed in common";
    }
    for (const StagingRow* of : {&first, &second}) {
      tables.push_back(in_group(*of->scored, pair.group, single ? nullptr : &seeds));
    }
    std::set<std::string> ids;
    for (const ScoredPatient& patient : tables[0].patients) {
      ids.insert(patient.id);
    }
    const bool shared =
        std::any_of(tables[1].patients.begin(), tables[1].patients.end(),
                    [&](const ScoredPatient& patient) { return ids.contains(patient.id); });
    return shared ? "" : "missing: no patient in common";
  }

  /// Holm's family is the pairs under one group and question.
  void compare_rows(const std::string& group) {
    std::vector<std::vector<PatientTable>> tables;
    std::vector<StagingDifference> found;
    tables.reserve(trials_.table().compare.size());
    std::vector<NamedHead> heads;
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (const auto& [name, minus] : trials_.table().compare) {
      StagingDifference difference{.group = group, .row = name, .minus = minus};
      std::vector<PatientTable> of;
      difference.missing = pair_up(difference, of);
      if (difference.missing.empty()) {
        tables.push_back(std::move(of));
        heads.push_back({name, &tables.back()[0]});
        heads.push_back({minus, &tables.back()[1]});
        pairs.emplace_back(heads.size() - 2, heads.size() - 1);
      }
      found.push_back(std::move(difference));
    }
    // One question after the other, each with all pairs in order.
    const auto comparisons = compare_heads(heads, pairs, results_.options.bootstrap);
    std::size_t next = 0;
    for (StagingDifference& difference : found) {
      for (std::size_t i = next; difference.missing.empty() && i < comparisons.size();
           i += pairs.size()) {
        difference.questions.push_back(comparisons[i]);
      }
      next += difference.missing.empty() ? 1 : 0;
      results_.differences.push_back(std::move(difference));
    }
  }

  void note_unknown_groups() {
    std::vector<std::string> known = results_.groups;
    known.emplace_back("domains");
    const bool any = std::any_of(results_.rows.begin(), results_.rows.end(),
                                 [](const StagingRow& row) { return row.scored.has_value(); });
    for (const auto& [group, ignored] : results_.paper.items()) {
      if (any && std::find(known.begin(), known.end(), group) == known.end()) {
        results_.notes.push_back("table.paper: no case is in the group '" + group +
                                 "'; its figures are not shown");
      }
    }
  }

  TableTrials trials_;
  StagingResults results_;
};

}  // namespace

const std::vector<std::string> kStagingQuestions{"cirrhosis", "substantial_fibrosis"};

const Json* block_of(const StagingRow& row, const std::string& group) {
  return row.scored ? block_of(row.document, group) : nullptr;
}

const Json* block_of(const Json& document, const std::string& group) {
  if (group == kAll) {
    return &document;
  }
  const Json& groups = document["groups"];
  if (groups.is_null()) {
    return nullptr;
  }
  const Json& of = group == kIn || group == kOut ? groups : groups["domains"];
  const auto found = of.find(group);
  return found == of.end() || (*found)["n"] == 0 ? nullptr : &*found;
}

StagingResults collect_staging(const TrialStore& store) {
  return StagingCollector(store).collect();
}

}  // namespace hepar::detail
