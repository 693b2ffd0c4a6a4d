#include <algorithm>

#include "experiment/case_table.h"
#include "experiment/row_trials.h"
#include "hepar/core/error.h"
#include "hepar/core/version.h"
#include "hepar/io/manifest.h"
#include "hepar/pipeline/report.h"

namespace hepar {
namespace {

using Run = std::map<std::string, detail::CaseScoresOfRun>;

bool matches(const std::vector<std::string>& wanted, const std::string& found) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), found) != wanted.end();
}

ScoreSummary summarise(const std::vector<Run>& runs, const std::vector<std::string>& cases,
                       const std::string& score) {
  ScoreSummary summary;
  std::vector<double> values;
  for (const auto& [id, value] : detail::averaged(runs, cases, score)) {
    values.push_back(value);
  }
  std::vector<double> run_means, charged;
  for (const Run& run : runs) {
    std::vector<double> own;
    for (const auto& [id, value] : detail::averaged({run}, cases, score)) {
      own.push_back(value);
    }
    if (!own.empty()) {
      run_means.push_back(mean(own));
    }
    for (const std::string& id : cases) {
      if (const auto found = run.find(id); found != run.end()) {
        const auto value = found->second.value.find(score);
        charged.push_back(value == found->second.value.end() ? found->second.diagonal_mm
                                                             : value->second);
      }
    }
  }
  summary.cases = values.size();
  summary.missed = cases.size() - values.size();
  if (!values.empty()) {
    summary.mean = mean(values);
  }
  if (values.size() > 1) {
    summary.sd = standard_deviation(values);
  }
  if (run_means.size() > 1) {
    summary.sd_over_runs = standard_deviation(run_means);
  }
  if (!charged.empty() && !score.ends_with(".dsc")) {
    summary.mean_penalised = mean(charged);
  }
  return summary;
}

class Collector {
 public:
  explicit Collector(const TrialStore& store)
      : store_(store), trials_(store), experiment_(trials_.experiment()) {}

  Results collect() {
    const TableSpec& table = trials_.table();
    results_.experiment = experiment_.name;
    results_.title = trials_.title();
    results_.code_version = version();
    results_.paper = table.paper;
    results_.rows = trials_.rows();
    read_cohort();
    for (const auto& [row, title] : results_.rows) {
      results_.sources[row] = trials_.of_row(trials_.table().scores, row);
      read_runs(row);
      for (const auto& [group, cases] : groups_) {
        results_.cells.push_back(cell(row, group, cases));
      }
    }
    add_differences();
    return std::move(results_);
  }

 private:
  /// Groups of cases, from the cohort's manifest; without it every group is empty.
  void read_cohort() {
    const TableSpec& table = trials_.table();
    const auto cohort = std::find_if(experiment_.cells.begin(), experiment_.cells.end(),
                                     [&](const Cell& cell) { return cell.stage == table.cohort; });
    const std::filesystem::path folder = store_.output(experiment_.trial(cohort->id));
    if (trials_.state(cohort->id) != TrialState::kDone) {
      results_.notes.push_back("the cohort is not there yet: no case is known");
    } else {
      manifest_ = read_manifest(folder);
      results_.data_hash = manifest_hash(manifest_);
    }
    std::vector<TableSpec::Group> groups = table.groups;
    if (groups.empty()) {
      groups.push_back({.name = "all", .split = {}, .domain = {}});
    }
    for (const TableSpec::Group& group : groups) {
      results_.groups.push_back(group.name);
      groups_.emplace_back(group.name, std::vector<std::string>{});
      for (const CaseRecord& record : manifest_.cases) {
        if (matches(group.split, record.split) && matches(group.domain, record.domain)) {
          groups_.back().second.push_back(record.id);
        }
      }
    }
  }

  void read_runs(const std::string& row) {
    std::vector<Run>& runs = rows_[row];
    for (const std::filesystem::path& file : results_.sources.at(row).outputs) {
      runs.push_back(detail::read_case_scores(file));
      check_cases(runs.back(), file);
    }
  }

  void check_cases(const Run& run, const std::filesystem::path& file) const {
    for (const auto& [id, ignored] : run) {
      const bool known =
          std::any_of(manifest_.cases.begin(), manifest_.cases.end(),
                      [&, name = id](const CaseRecord& record) { return record.id == name; });
      require<DataError>(
          known, file.string() + ": case " + id + " is not in the cohort that table.cohort names");
    }
  }

  /// Cases of a group that any run of the row scored: the others were never asked for.
  static std::vector<std::string> scored(const std::vector<std::string>& cases,
                                         const std::vector<Run>& runs) {
    std::vector<std::string> kept;
    std::copy_if(cases.begin(), cases.end(), std::back_inserter(kept), [&](const std::string& id) {
      return std::any_of(runs.begin(), runs.end(),
                         [&](const Run& run) { return run.contains(id); });
    });
    return kept;
  }

  ResultCell cell(const std::string& row, const std::string& group,
                  const std::vector<std::string>& all_cases) {
    const std::vector<Run>& runs = rows_.at(row);
    const std::vector<std::string> cases = scored(all_cases, runs);
    ResultCell cell{.row = row, .group = group, .scores = {}};
    results_.group_cases[group] = std::max(results_.group_cases[group], cases.size());
    for (const std::string& variant : detail::kVariants) {
      for (const std::string& score : detail::kScores) {
        const std::string key = variant + "." + score;
        cell.scores[key] = summarise(runs, cases, key);
      }
    }
    return cell;
  }

  void add_differences() {
    for (const std::string& score : detail::kScores) {
      std::vector<RowDifference> family;
      for (const auto& [row, minus] : trials_.table().compare) {
        for (const auto& [group, cases] : groups_) {
          add_difference({.row = row, .minus = minus, .group = group, .score = score}, cases,
                         family);
        }
      }
      std::vector<double> p_values;
      for (const RowDifference& difference : family) {
        p_values.push_back(difference.wilcoxon_p);
      }
      const std::vector<double> adjusted = holm(p_values);
      for (std::size_t i = 0; i < family.size(); ++i) {
        family[i].holm_p = adjusted[i];
        results_.differences.push_back(family[i]);
      }
    }
  }

  void add_difference(RowDifference difference, const std::vector<std::string>& cases,
                      std::vector<RowDifference>& family) {
    const std::vector<Run>& runs = rows_.at(difference.row);
    const bool largest = !runs.empty() && !runs.front().empty() &&
                         runs.front().begin()->second.value.contains("largest_component.dsc");
    difference.score = (largest ? "largest_component." : "raw.") + difference.score;
    const auto ours = detail::averaged(runs, cases, difference.score);
    const auto theirs = detail::averaged(rows_.at(difference.minus), cases, difference.score);
    std::vector<double> differences;
    for (const auto& [id, value] : ours) {
      if (const auto other = theirs.find(id); other != theirs.end()) {
        differences.push_back(value - other->second);
      }
    }
    if (differences.empty()) {
      return;  // the cells say what is missing
    }
    difference.cases = differences.size();
    difference.mean = mean(differences);
    difference.interval = bootstrap_mean(differences);
    difference.wilcoxon_p = wilcoxon_signed_rank(differences).p;
    family.push_back(difference);
  }

  const TrialStore& store_;
  detail::TableTrials trials_;
  const Experiment& experiment_;
  Manifest manifest_;
  std::vector<std::pair<std::string, std::vector<std::string>>> groups_;
  std::map<std::string, std::vector<Run>> rows_;
  Results results_;
};

}  // namespace

Results collect_results(const TrialStore& store) { return Collector(store).collect(); }

}  // namespace hepar
