#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// A comma-separated table with a header line; quotes, CRLF and a byte order mark are understood.
class CsvTable {
 public:
  struct Row {
    int line = 0;  ///< in the file, from 1
    std::vector<std::string> cells;
  };

  /// Throws DataError: unreadable, empty, an open quote, a row with more cells than
  /// the header; a shorter one is filled up with empty cells.
  explicit CsvTable(const std::filesystem::path& path);

  /// Lower-case names.
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  /// Names as they are written.
  [[nodiscard]] const std::vector<std::string>& header() const { return header_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  /// Column by its lower-case name, or by the first of several names that is there.
  [[nodiscard]] std::optional<std::size_t> find(const std::vector<std::string>& names) const;
  /// The same; throws DataError naming file, wanted and found columns.
  [[nodiscard]] std::size_t column(const std::vector<std::string>& names) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// "FILE:LINE", for messages.
  [[nodiscard]] std::string where(const Row& row) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> header_, columns_;
  std::vector<Row> rows_;
};

}  // namespace hepar
