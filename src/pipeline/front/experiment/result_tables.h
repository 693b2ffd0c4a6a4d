#pragma once
#include <hepar/pipeline/report.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// A table of texts; the first row is the header.
using TextTable = std::vector<std::vector<std::string>>;

/// Rows of one group: a line a row of the experiment, the paper's figures below it.
TextTable group_table(const Results& results, const std::string& group);
/// Paired differences; empty without any.
TextTable difference_table(const Results& results);
/// Seed, data, code and scores behind each row.
TextTable source_table(const Results& results);
/// What the numbers are, for below the tables.
std::vector<std::string> conventions_of_tables();

std::string fixed(double value, int digits);
int digits_of(const std::string& score);  ///< 4 for DSC, 2 for mm

}  // namespace hepar::detail
