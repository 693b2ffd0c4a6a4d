#pragma once
#include <hepar/pipeline/report.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hepar::detail {

/// The trials that an experiment's table is made of.
class TableTrials {
 public:
  /// Throws ConfigError when the experiment has no section `table`.
  explicit TableTrials(const TrialStore& store);

  [[nodiscard]] const Experiment& experiment() const { return experiment_; }
  [[nodiscard]] const TableSpec& table() const { return *experiment_.table; }
  [[nodiscard]] std::string title() const;
  [[nodiscard]] TrialState state(const std::string& id) const;
  /// Values of the axis `rows` with their titles.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> rows() const;
  /// A stage under every setting of the other axes, in order: done, or why not.
  [[nodiscard]] RowTrials of_row(const std::string& stage, const std::string& row) const;

 private:
  [[nodiscard]] std::string why_missing(const std::string& id) const;
  [[nodiscard]] std::int64_t steps_behind(const Trial& trial) const;

  const TrialStore& store_;
  Experiment experiment_;
  TrialStates states_;
};

/// "3", "1 of 3", or "MISSING (why)".
std::string runs_text(const RowTrials& trials);
/// Seed, data, code and scores behind each row.
TextTable source_table(const std::vector<std::pair<std::string, std::string>>& rows,
                       const std::map<std::string, RowTrials>& sources);

}  // namespace hepar::detail
