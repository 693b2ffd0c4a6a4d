#pragma once
#include <hepar/pipeline/report.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// Rows of one group: a line a row of the experiment, the paper's figures below it.
TextTable group_table(const Results& results, const std::string& group);
/// Paired differences; empty without any.
TextTable difference_table(const Results& results);
/// What the numbers are, for below the tables.
std::vector<std::string> conventions_of_tables();

std::string fixed(double value, int digits);
std::string p_text(double p);             ///< four digits, or "< 0.0001"
int digits_of(const std::string& score);  ///< 4 for DSC, 2 for mm

}  // namespace hepar::detail
