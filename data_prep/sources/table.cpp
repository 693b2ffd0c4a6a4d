#include <algorithm>
#include <map>

#include "hepar/core/csv.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "sources/source.h"

namespace hepar {
namespace {

const std::vector<std::string>& known_columns() {
  static const std::vector<std::string> kColumns{"id",       "image", "mask",  "patient",
                                                 "domain",   "split", "stage", "sequence",
                                                 "hospital", "vendor"};
  return kColumns;
}

void check_columns(const CsvTable& table) {
  for (const std::string& column : table.columns()) {
    const auto& known = known_columns();
    if (std::find(known.begin(), known.end(), column) == known.end()) {
      const std::string suggestion = nearest(column, known);
      throw DataError(table.path().string() + ": unknown column '" + column + "'" +
                      (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?") +
                      " Known: " + join(known, ", "));
    }
  }
  (void)table.column({"id"});
  (void)table.column({"image"});
}

/// One line a (case, sequence); lines of one id are one case and must agree on what is the case's.
class TableReader {
 public:
  explicit TableReader(const fs::path& path) : table_(path) {
    check_columns(table_);
    for (const CsvTable::Row& row : table_.rows()) {
      add(row);
    }
    for (auto& entry : cases_) {
      listing.cases.push_back(std::move(entry.second));
    }
  }

  SourceListing listing;

 private:
  std::string cell(const CsvTable::Row& row, const std::string& column,
                   const std::string& missing = "") const {
    const auto found = table_.find({column});
    return found && !row.cells[*found].empty() ? row.cells[*found] : missing;
  }

  fs::path path_of(const std::string& text) const {
    return fs::path(text).is_absolute() ? fs::path(text) : table_.path().parent_path() / text;
  }

  std::optional<int> stage_of(const CsvTable::Row& row, const std::string& id) {
    const std::string text = cell(row, "stage");
    if (text.size() == 1 && text[0] >= '1' && text[0] <= '4') {
      return text[0] - '0';
    }
    if (!text.empty()) {
      listing.problems.push_back(
          {id, table_.where(row) + ": stage: wanted 1 to 4, found '" + text + "'"});
    }
    return std::nullopt;
  }

  void add(const CsvTable::Row& row) {
    CaseListing item;
    item.id = cell(row, "id");
    require<DataError>(!item.id.empty(), table_.where(row) + ": id: wanted a name, found nothing");
    item.patient = cell(row, "patient", item.id);
    item.domain = cell(row, "domain");
    item.hospital = cell(row, "hospital");
    item.vendor = cell(row, "vendor");
    item.split = cell(row, "split", "train");
    item.stage = stage_of(row, item.id);
    SequenceListing sequence;
    sequence.sequence = cell(row, "sequence", "image");
    sequence.image = path_of(cell(row, "image"));
    if (!cell(row, "mask").empty()) {
      sequence.mask = path_of(cell(row, "mask"));
    }
    if (cell(row, "image").empty()) {
      listing.problems.push_back(
          {item.id, table_.where(row) + ": image: wanted a path, found nothing"});
    }
    const auto [found, is_new] = cases_.emplace(item.id, item);
    if (!is_new) {
      require_same(found->second, item, row);
    }
    found->second.sequences.push_back(std::move(sequence));
  }

  void require_same(const CaseListing& first, const CaseListing& other, const CsvTable::Row& row) {
    const auto key = [](const CaseListing& item) {
      return std::tie(item.patient, item.domain, item.hospital, item.vendor, item.split,
                      item.stage);
    };
    if (key(first) != key(other)) {
      listing.problems.push_back(
          {first.id, table_.where(row) +
                         ": a line of the same id says another patient, domain, hospital, vendor, "
                         "split or stage; two cases cannot have one id"});
    }
  }

  CsvTable table_;
  std::map<std::string, CaseListing> cases_;
};

class TableSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    SourceListing listing = TableReader(options.in).listing;
    for (std::size_t i = 0; i < options.classes.size(); ++i) {
      const bool is_new = listing.labels.emplace(options.classes[i], static_cast<int>(i)).second;
      require<ConfigError>(is_new, "classes: '" + options.classes[i] + "' stands there twice");
    }
    require<ConfigError>(!listing.labels.empty(), "classes: wanted at least the background's name");
    return listing;
  }
};

}  // namespace

std::unique_ptr<Source> make_table_source() { return std::make_unique<TableSource>(); }

}  // namespace hepar
