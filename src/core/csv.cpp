#include "hepar/core/csv.h"

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Splits text into rows of cells; a quoted cell may hold commas and line ends.
class CsvParser {
 public:
  CsvParser(std::string text, std::string where)
      : text_(std::move(text)), where_(std::move(where)) {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      at_ = 3;
    }
  }

  std::vector<CsvTable::Row> parse() {
    while (at_ < text_.size()) {
      step(text_[at_]);
      ++at_;
    }
    require<DataError>(!quoted_, where_ + ":" + std::to_string(row_.line) +
                                     ": a quote is opened and never closed");
    end_row();
    return std::move(rows_);
  }

 private:
  void step(char c) {
    if (quoted_) {
      inside_quotes(c);
    } else if (c == '"' && trimmed(cell_).empty()) {
      quoted_ = true;
      cell_.clear();
    } else if (c == ',') {
      end_cell();
    } else if (c == '\n') {
      end_row();
      row_.line = ++line_;
    } else if (c != '\r') {
      cell_ += c;
    }
  }

  void inside_quotes(char c) {
    if (c == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      cell_ += c;
      ++at_;
    } else if (c == '"') {
      quoted_ = false;
    } else {
      line_ += c == '\n' ? 1 : 0;
      cell_ += c;
    }
  }

  void end_cell() {
    row_.cells.push_back(trimmed(cell_));
    cell_.clear();
  }

  void end_row() {
    end_cell();
    if (row_.cells.size() > 1 || !row_.cells[0].empty()) {
      rows_.push_back(row_);
    }
    row_.cells.clear();
  }

  std::string text_, where_, cell_;
  std::size_t at_ = 0;
  bool quoted_ = false;
  int line_ = 1;
  CsvTable::Row row_{1, {}};
  std::vector<CsvTable::Row> rows_;
};

}  // namespace

CsvTable::CsvTable(const fs::path& path)
    : path_(path), rows_(CsvParser(read_text(path), path.string()).parse()) {
  require<DataError>(!rows_.empty(), path.string() + ": wanted a header line, found an empty file");
  header_ = rows_.front().cells;
  columns_ = header_;
  std::transform(columns_.begin(), columns_.end(), columns_.begin(), to_lower);
  rows_.erase(rows_.begin());
  for (Row& row : rows_) {
    require<DataError>(row.cells.size() <= columns_.size(),
                       where(row) + ": wanted " + std::to_string(columns_.size()) +
                           " cells as in the header, found " + std::to_string(row.cells.size()));
    row.cells.resize(columns_.size());  // spreadsheets drop empty cells at the end of a line
  }
}

std::optional<std::size_t> CsvTable::find(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    const auto found = std::find(columns_.begin(), columns_.end(), name);
    if (found != columns_.end()) {
      return static_cast<std::size_t>(found - columns_.begin());
    }
  }
  return std::nullopt;
}

std::size_t CsvTable::column(const std::vector<std::string>& names) const {
  const auto found = find(names);
  require<DataError>(found.has_value(), path_.string() + ": wanted a column '" +
                                            join(names, "' or '") + "', found " +
                                            join(columns_, ", "));
  return *found;
}

std::string CsvTable::where(const Row& row) const {
  return path_.string() + ":" + std::to_string(row.line);
}

}  // namespace hepar
