#include "hepar/pipeline/score_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "hepar/core/csv.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "staging/numbers.h"
#include "staging/problem_list.h"

namespace hepar {
namespace {

using detail::ProblemList;

using detail::number_of;

std::optional<std::int64_t> count_of(const std::string& text) {
  constexpr double kLargest = 9e15;
  const std::optional<double> value = number_of(text);
  return value && *value >= 0 && *value < kLargest && std::floor(*value) == *value
             ? std::optional(static_cast<std::int64_t>(*value))
             : std::nullopt;
}

/// One CSV with its optional columns; cells are read with a message naming line and column.
class Sheet {
 public:
  Sheet(const std::string& file, const std::vector<std::string>& known, ProblemList& problems)
      : table_(file), problems_(problems) {
    std::set<std::string> seen;
    for (const std::string& name : table_.columns()) {
      require<DataError>(seen.insert(name).second,
                         file + ":1: column '" + name + "' is there twice");
      const std::string near = nearest(name, known);
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        log::warn(file + ": column '" + name + "' is not used" +
                  (near.empty() ? "" : "; did you mean '" + near + "'?"));
      }
    }
    require<DataError>(!table_.rows().empty(), file + ": wanted rows below the header, found none");
    require_columns({"case"});
  }

  using Row = CsvTable::Row;
  [[nodiscard]] const std::vector<Row>& rows() const { return table_.rows(); }
  [[nodiscard]] bool has(const std::string& name) const { return table_.find({name}).has_value(); }
  void require_columns(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
      static_cast<void>(table_.column({name}));  // throws without it
    }
  }
  [[nodiscard]] std::string text(const Row& row, const std::string& name) const {
    return row.cells[table_.column({name})];
  }
  [[nodiscard]] std::string where(const Row& row) const { return table_.where(row); }

  void complain(const Row& row, const std::string& column, const std::string& wanted) {
    const std::string found = text(row, column);
    problems_.add(where(row) + ": column " + column + ": wanted " + wanted + ", found " +
                  (found.empty() ? "nothing" : "'" + found + "'"));
  }

  double probability(const Row& row, const std::string& column) {
    const std::optional<double> value = number_of(text(row, column));
    if (!value || *value < 0 || *value > 1) {
      complain(row, column, "a probability from 0 to 1");
      return 0;
    }
    return *value;
  }

  /// 0 where the cell or the column is empty.
  int stage(const Row& row, const std::string& column) {
    if (!has(column) || text(row, column).empty()) {
      return 0;
    }
    std::string name = to_lower(text(row, column));
    if (name.starts_with("s")) {
      name.erase(0, 1);
    }
    const std::optional<std::int64_t> value = count_of(name);
    if (!value || *value < 1 || *value > static_cast<std::int64_t>(kStages)) {
      complain(row, column, "a stage from 1 to 4");
      return 0;
    }
    return static_cast<int>(*value);
  }

  std::optional<std::int64_t> count(const Row& row, const std::string& column) {
    const std::optional<std::int64_t> value = count_of(text(row, column));
    if (!value) {
      complain(row, column, "a whole number from 0");
    }
    return value;
  }

  std::string name(const Row& row, const std::string& column) {
    if (text(row, column).empty()) {
      complain(row, column, "a name");
    }
    return text(row, column);
  }

 private:
  CsvTable table_;
  ProblemList& problems_;
};

/// The column that says where a patient comes from; `domain` goes before `vendor`.
std::string domain_column(const Sheet& sheet) {
  for (const char* name : {"domain", "vendor"}) {
    if (sheet.has(name)) {
      return name;
    }
  }
  return "";
}

struct KnownPatient {
  ScoredPatient patient;
  std::string first_seen;  ///< "FILE:LINE"
};

class Reader {
 public:
  explicit Reader(const ScoreTableRequest& request) : request_(request) {}

  ViewTable read() {
    if (!request_.cases.empty()) {
      read_cases();
    }
    read_scores();
    problems_.refuse();
    fill_table();
    check_table();
    problems_.refuse();
    return std::move(table_);
  }

 private:
  void read_cases() {
    Sheet sheet(request_.cases, {"case", "stage", "domain", "vendor", "fold"}, problems_);
    const std::string domain = domain_column(sheet);
    table_.has_domain = !domain.empty();
    table_.has_fold = sheet.has("fold");
    for (const Sheet::Row& row : sheet.rows()) {
      const ScoredPatient patient = patient_of(sheet, row, domain);
      const auto [known, is_new] = patients_.try_emplace(patient.id, KnownPatient{patient, ""});
      if (!is_new) {
        problems_.add(sheet.where(row) + ": case " + patient.id + " is already in " +
                      known->second.first_seen);
      }
      known->second.first_seen = sheet.where(row);
    }
  }

  static ScoredPatient patient_of(Sheet& sheet, const Sheet::Row& row, const std::string& domain) {
    ScoredPatient patient;
    patient.id = sheet.name(row, "case");
    patient.stage = sheet.stage(row, "stage");
    patient.domain = domain.empty() ? "" : sheet.name(row, domain);
    if (sheet.has("fold")) {
      patient.fold = sheet.count(row, "fold");
    }
    return patient;
  }

  void read_scores() {
    // `split` is what `hepar classify` writes for its reader; no score depends on it.
    Sheet sheet(
        request_.scores,
        {"case", "stage", "domain", "vendor", "split", "fold", "sequence", "seed", "q4", "q1", "p1",
         "p2", "p3", "p4", "call", "fallback", "from_prior", "cam_inside", "mask_share"},
        problems_);
    sheet.require_columns({"q4", "q1"});
    if (sheet.has("p1") || sheet.has("p2") || sheet.has("p3") || sheet.has("p4")) {
      sheet.require_columns({"p1", "p2", "p3", "p4"});
    }
    const std::string domain = domain_column(sheet);
    table_.where = request_.scores;
    table_.per_sequence = sheet.has("sequence");
    table_.has_domain = table_.has_domain || !domain.empty();
    table_.has_fold = table_.has_fold || sheet.has("fold");
    table_.has_fallback = sheet.has("fallback");
    for (const Sheet::Row& row : sheet.rows()) {
      meet_patient(sheet, row, patient_of(sheet, row, domain));
      add_score(sheet, row);
    }
  }

  void meet_patient(Sheet& sheet, const Sheet::Row& row, const ScoredPatient& found) {
    auto known = patients_.find(found.id);
    if (known == patients_.end()) {
      if (!request_.cases.empty()) {
        problems_.add(sheet.where(row) + ": case " + found.id + " is not in " + request_.cases);
      }
      patients_.emplace(found.id, KnownPatient{found, sheet.where(row)});
      return;
    }
    ScoredPatient& patient = known->second.patient;
    const auto agree = [&](const char* what, const std::string& first, const std::string& now) {
      if (!first.empty() && !now.empty() && first != now) {
        problems_.add(sheet.where(row) + ": case " + found.id + ", " + what + ": wanted " + first +
                      " as in " + known->second.first_seen + ", found " + now);
      }
    };
    const auto stage_name = [](int stage) { return stage == 0 ? "" : std::to_string(stage); };
    const auto fold_name = [](const ScoredPatient& p) {
      return p.fold ? std::to_string(*p.fold) : "";
    };
    agree("stage", stage_name(patient.stage), stage_name(found.stage));
    agree("domain", patient.domain, found.domain);
    agree("fold (a patient has one)", fold_name(patient), fold_name(found));
    patient.stage = patient.stage == 0 ? found.stage : patient.stage;
    patient.domain = patient.domain.empty() ? found.domain : patient.domain;
    patient.fold = patient.fold ? patient.fold : found.fold;
  }

  void add_score(Sheet& sheet, const Sheet::Row& row) {
    const std::string id = sheet.text(row, "case");
    const std::string sequence = table_.per_sequence ? sheet.name(row, "sequence") : "";
    const std::int64_t seed = sheet.has("seed") ? sheet.count(row, "seed").value_or(0) : 0;
    const std::string where = sheet.where(row);
    const auto [first, is_new] = lines_.try_emplace({seed, id, sequence}, where);
    if (!is_new) {
      problems_.add(where + ": case " + id + (sequence.empty() ? "" : ", sequence " + sequence) +
                    (sheet.has("seed") ? ", seed " + std::to_string(seed) : "") +
                    " is already in " + first->second);
    }
    scores_[seed][id][sequence] = score_of(sheet, row);
  }

  StageScore score_of(Sheet& sheet, const Sheet::Row& row) {
    StageScore score{.q4 = sheet.probability(row, "q4"), .q1 = sheet.probability(row, "q1")};
    if (sheet.has("p1")) {
      score.stages = StageProbabilities{sheet.probability(row, "p1"), sheet.probability(row, "p2"),
                                        sheet.probability(row, "p3"), sheet.probability(row, "p4")};
      double sum = 0;
      for (const double p : *score.stages) {
        sum += p;
      }
      constexpr double kRounding = 1e-3;  // four columns printed with few digits
      if (std::abs(sum - 1) > kRounding) {
        problems_.add(sheet.where(row) + ": columns p1 to p4: wanted a sum of 1, found " +
                      std::to_string(sum));
      }
    }
    score.call = sheet.stage(row, "call");
    score.fallback = is_set(sheet, row, "fallback");
    score.from_prior = is_set(sheet, row, "from_prior");
    score.cam_inside = share_of(sheet, row, "cam_inside");
    score.mask_share = share_of(sheet, row, "mask_share");
    return score;
  }

  /// Nothing where the cell or the column is empty: not every head has activation maps.
  static std::optional<double> share_of(Sheet& sheet, const Sheet::Row& row,
                                        const std::string& column) {
    return sheet.has(column) && !sheet.text(row, column).empty()
               ? std::optional(sheet.probability(row, column))
               : std::nullopt;
  }

  static bool is_set(const Sheet& sheet, const Sheet::Row& row, const std::string& column) {
    const std::string text = sheet.has(column) ? to_lower(sheet.text(row, column)) : "";
    return !text.empty() && text != "0" && text != "none" && text != "no";
  }

  void fill_table() {
    for (const auto& [id, known] : patients_) {
      table_.patients.push_back(known.patient);
    }
    for (auto& [seed, of_patients] : scores_) {
      table_.seeds.push_back(seed);
      auto& views = table_.views.emplace_back();
      for (const ScoredPatient& patient : table_.patients) {
        views.push_back(std::move(of_patients[patient.id]));
      }
    }
  }

  void check_table() {
    for (std::size_t i = 0; i < table_.patients.size(); ++i) {
      const ScoredPatient& patient = table_.patients[i];
      const std::string where = request_.scores + ": case " + patient.id;
      if (request_.require_stage && patient.stage == 0) {
        problems_.add(where + ": wanted a stage from 1 to 4 (column stage), found none");
      }
      if (table_.has_domain && patient.domain.empty()) {
        problems_.add(where + ": wanted a domain, as other cases have one, found none");
      }
      if (table_.has_fold && !patient.fold) {
        problems_.add(where + ": wanted a fold, as other cases have one, found none");
      }
      check_seeds(i, where);
    }
  }

  /// A patient is in every run with the same sequences, or, known from the list only, in none.
  void check_seeds(std::size_t patient, const std::string& where) {
    std::set<std::string> known;
    for (const auto& run : table_.views) {
      for (const auto& [sequence, score] : run[patient]) {
        known.insert(sequence);
      }
    }
    for (std::size_t s = 0; s < table_.seeds.size(); ++s) {
      for (const std::string& sequence : known) {
        if (!table_.views[s][patient].contains(sequence)) {
          problems_.add(where + (sequence.empty() ? "" : ", sequence " + sequence) +
                        ": has no row for seed " + std::to_string(table_.seeds[s]) +
                        ", other seeds have one");
        }
      }
    }
  }

  const ScoreTableRequest& request_;
  ProblemList problems_;
  ViewTable table_;
  std::map<std::string, KnownPatient> patients_;
  std::map<std::tuple<std::int64_t, std::string, std::string>, std::string> lines_;
  std::map<std::int64_t, std::map<std::string, std::map<std::string, StageScore>>> scores_;
};

}  // namespace

std::vector<std::string> ViewTable::sequences() const {
  std::set<std::string> names;
  for (const auto& run : views) {
    for (const auto& of_patient : run) {
      for (const auto& [name, score] : of_patient) {
        names.insert(name);
      }
    }
  }
  return {names.begin(), names.end()};
}

ViewTable read_score_table(const ScoreTableRequest& request) { return Reader(request).read(); }

}  // namespace hepar
