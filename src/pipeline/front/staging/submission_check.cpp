#include <array>
#include <cmath>
#include <map>
#include <set>

#include "hepar/core/csv.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/submission.h"
#include "staging/numbers.h"
#include "staging/problem_list.h"
#include "staging/submission_formats.h"

namespace hepar {
namespace {

using Row = CsvTable::Row;

class Checker {
 public:
  Checker(const SubmissionConfig& config, const std::string& file)
      : year_(config.year), cases_(config.cases), table_(file) {}

  std::size_t check() {
    const std::string wanted = detail::submission_header(year_);
    require<DataError>(join(table_.header(), ",") == wanted,
                       table_.path().string() + ":1: wanted the header '" + wanted + "', found '" +
                           join(table_.header(), ",") + "'");
    for (const Row& row : table_.rows()) {
      check_row(row);
    }
    if (year_ == "2025") {
      check_settings();
    }
    check_cases();
    problems_.refuse();
    return table_.rows().size();
  }

 private:
  void check_row(const Row& row) {
    const std::string& id = row.cells[0];
    if (id.empty()) {
      complain(row, 0, "a case");
    }
    const bool keyed = year_ != "2024";  // the second column is a setting or a list of modalities
    const std::string key = keyed ? row.cells[1] : "";
    if (year_ == "2025" && key != "Contrast" && key != "NonContrast") {
      complain(row, 1, "Contrast or NonContrast");
    }
    if (year_ == "2026" && key.empty()) {
      complain(row, 1, "the sequences used, like 'DWI, T1, T2'");
    }
    const auto [first, is_new] = lines_.try_emplace({id, key}, row.line);
    if (!is_new) {
      problems_.add(table_.where(row) + ": case " + id + (key.empty() ? "" : ", " + key) +
                    " is already in line " + std::to_string(first->second));
    }
    check_numbers(row, keyed ? 2 : 1);
  }

  void check_numbers(const Row& row, std::size_t first) {
    double sum = 0;
    bool all = true;
    for (std::size_t c = first; c < row.cells.size(); ++c) {
      const auto value = detail::number_of(row.cells[c]);
      if (!value || *value < 0 || *value > 1) {
        complain(row, c, "a probability from 0 to 1");
        all = false;
      }
      sum += value.value_or(0);
    }
    constexpr double kRounding = 1e-3;
    if (year_ == "2026" && all && std::abs(sum - 1) > kRounding) {
      problems_.add(table_.where(row) + ": columns S1 to S4: wanted a sum of 1, found " +
                    std::to_string(sum));
    }
  }

  /// A case that answers one of the settings in use answers the other.
  void check_settings() {
    std::set<std::string> ids;
    std::set<std::string> settings;
    for (const auto& [key, line] : lines_) {
      ids.insert(key.first);
      settings.insert(key.second);
    }
    for (const std::string& id : ids) {
      for (const std::string& setting : settings) {
        if (!lines_.contains({id, setting})) {
          problems_.add(table_.path().string() + ": case " + id + ": wanted a row " + setting +
                        " as other cases have one, found none");
        }
      }
    }
  }

  void check_cases() {
    if (table_.rows().empty()) {
      problems_.add(table_.path().string() + ": wanted a row a case, found none");
    }
    if (cases_.empty()) {
      return;
    }
    const CsvTable wanted(cases_);
    const std::size_t column = wanted.column({"case"});
    std::set<std::string> known;
    for (const Row& row : wanted.rows()) {
      known.insert(row.cells[column]);
    }
    std::set<std::string> answered;
    for (const auto& [key, line] : lines_) {
      answered.insert(key.first);
      if (!known.contains(key.first)) {
        problems_.add(table_.path().string() + ":" + std::to_string(line) + ": case " + key.first +
                      " is not in " + cases_);
      }
    }
    for (const std::string& id : known) {
      if (!answered.contains(id)) {
        problems_.add(table_.path().string() + ": wanted a row for case " + id + " of " + cases_ +
                      ", found none");
      }
    }
  }

  void complain(const Row& row, std::size_t column, const std::string& wanted) {
    const std::string& found = row.cells[column];
    problems_.add(table_.where(row) + ": column " + table_.header()[column] + ": wanted " + wanted +
                  ", found " + (found.empty() ? "nothing" : "'" + found + "'"));
  }

  std::string year_, cases_;
  CsvTable table_;
  std::map<std::pair<std::string, std::string>, int> lines_;
  detail::ProblemList problems_;
};

}  // namespace

std::string detail::submission_header(const std::string& year) {
  if (year == "2024") {
    return "Case,Task1_prob_S4,Task2_prob_S1";
  }
  return year == "2025" ? "Case,Setting,Subtask1_prob_S4,Subtask2_prob_S1"
                        : "Case,Modality Input,S1,S2,S3,S4";
}

std::size_t check_submission(const SubmissionConfig& config, const std::string& file) {
  return Checker(config, file).check();
}

}  // namespace hepar
