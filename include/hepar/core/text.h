#pragma once
#include <string>
#include <vector>

namespace hepar {

/// The candidate with the smallest edit distance to `word`; empty when none is near enough to
/// suggest.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

std::string join(const std::vector<std::string>& parts, const std::string& separator);
std::vector<std::string> split(const std::string& text, char separator);
std::string to_lower(std::string text);

/// Whether a filter lets `found` in: an empty list takes all.
bool takes(const std::vector<std::string>& wanted, const std::string& found);

/// Columns aligned with spaces, first row is the header, a rule below it.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace hepar
