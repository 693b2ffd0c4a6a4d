#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "hepar/core/csv.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "sources/source.h"

namespace hepar {
namespace {

const std::vector<std::string>& sequence_names() {
  static const std::vector<std::string> kNames{"DWI_800", "GED1", "GED2", "GED3",
                                               "GED4",    "T1",   "T2"};
  return kNames;
}

/// A file's sequence and whether it is spelled as in sequence_names().
struct SequenceName {
  std::string name;
  bool exact = false;
};

std::optional<SequenceName> sequence_of(const std::string& stem) {
  for (const std::string& name : sequence_names()) {
    if (to_lower(stem) == to_lower(name)) {
      return SequenceName{name, stem == name};
    }
  }
  static const std::regex kWeighted("t([12])wi?", std::regex::icase);
  static const std::regex kDiffusion("dwi[_-]?[0-9]*", std::regex::icase);
  std::smatch match;
  if (std::regex_match(stem, match, kWeighted)) {
    return SequenceName{match[1].str() == "1" ? "T1" : "T2", false};
  }
  if (std::regex_match(stem, kDiffusion)) {
    return SequenceName{"DWI_800", false};
  }
  return std::nullopt;
}

/// The domain that a folder named after a vendor holds: "Vendor_B1", "Vendor-B1", "VendorB1".
std::optional<std::string> domain_of(const std::string& folder) {
  static const std::regex kVendor("Vendor[_-]?([A-Z][0-9]*)");
  std::smatch match;
  return std::regex_match(folder, match, kVendor) ? std::optional(match[1].str()) : std::nullopt;
}

/// The split that a folder's name speaks of; the OOD test set is domain C or says so.
std::optional<std::string> split_of(const std::string& folder, const std::string& domain) {
  const std::string name = to_lower(folder);
  const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
  if (has("train")) {
    return "train";
  }
  if (has("ood")) {
    return "test_ood";
  }
  if (has("test")) {
    return domain == "C" ? "test_ood" : "test_id";
  }
  return has("val") ? std::optional<std::string>("val") : std::nullopt;
}

/// A and B1 come from one hospital; the challenge does not name any.
std::string hospital_of(const std::string& domain) {
  static const std::map<std::string, std::string> kHospitals{
      {"A", "1"}, {"B1", "1"}, {"B2", "2"}, {"C", "3"}};
  const auto found = kHospitals.find(domain);
  return found == kHospitals.end() ? "" : found->second;
}

/// Sequences and masks of one case folder as they are found.
class CaseFolder {
 public:
  CaseFolder(const fs::path& folder, CaseListing& item, SourceListing& listing)
      : item_(item), listing_(listing) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      add(file);
    }
    give_masks();
  }

 private:
  void add(const fs::path& file) {
    const std::string stem = nifti_stem(file);
    if (stem.empty()) {
      listing_.warnings.push_back(file.string() + ": is no NIfTI file and is not read");
      return;
    }
    if (to_lower(stem).starts_with("mask_")) {
      const auto sequence = sequence_of(stem.substr(5));
      if (!sequence) {
        problem(file.string() + ": a mask of no known sequence");
      } else {
        masks_[sequence->name] = file;
      }
      return;
    }
    const auto sequence = sequence_of(stem);
    if (sequence) {
      add_image(file, stem, *sequence);
    } else {
      listing_.warnings.push_back(file.string() +
                                  ": is no sequence of this data set and is not read");
    }
  }

  void add_image(const fs::path& file, const std::string& stem, const SequenceName& sequence) {
    const auto other = std::find_if(item_.sequences.begin(), item_.sequences.end(),
                                    [&](const auto& s) { return s.sequence == sequence.name; });
    if (other == item_.sequences.end()) {
      SequenceListing& added = item_.sequences.emplace_back();
      added.sequence = sequence.name;
      added.image = file;
      if (!sequence.exact) {
        added.notes.push_back("'" + stem + "' taken as " + sequence.name);
      }
      return;
    }
    const bool other_exact = nifti_stem(other->image) == sequence.name;
    if (sequence.name == "DWI_800" && (sequence.exact || other_exact)) {
      // Several b-values: the one of the protocol counts, whatever the order of the names.
      const fs::path unused = sequence.exact ? other->image : file;
      if (sequence.exact) {
        other->image = file;
        other->notes.clear();
      }
      listing_.warnings.push_back(unused.string() + ": another b-value beside DWI_800 is not read");
      return;
    }
    problem(file.string() + ": a second " + sequence.name + " beside " + other->image.string());
  }

  void give_masks() {
    for (const auto& [name, file] : masks_) {
      const auto found =
          std::find_if(item_.sequences.begin(), item_.sequences.end(),
                       [&, &key = name](const auto& s) { return s.sequence == key; });
      if (found == item_.sequences.end()) {
        problem(file.string() + ": a mask without its image " + name);
      } else {
        found->mask = file;
      }
    }
  }

  void problem(const std::string& text) { listing_.problems.push_back({item_.id, text}); }

  CaseListing& item_;
  SourceListing& listing_;
  std::map<std::string, fs::path> masks_;
};

/// Walks to the vendor folders, wherever an archive put them, and lists the cases below.
class LiqaWalk {
 public:
  explicit LiqaWalk(const fs::path& root) : root_(root) {
    require<DataError>(fs::is_directory(root),
                       root.string() + ": wanted the folder of the LiQA data");
    walk(root, 0);
    require<DataError>(
        vendors_ > 0,
        root.string() +
            ": wanted folders named Vendor_A, Vendor_B1, … (LiQA_training_data/Vendor_X "
            "or LiQA_val/Data/Vendor_X), found none");
    for (const fs::path& info : infos_) {
      check_info(info);
    }
  }

  SourceListing listing;

 private:
  void walk(const fs::path& folder, int depth) {
    constexpr int kDeepest = 6;
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(folder)) {
      below.push_back(entry.path());
    }
    std::sort(below.begin(), below.end());
    for (const fs::path& path : below) {
      if (to_lower(path.filename().string()) == "info.csv") {
        infos_.push_back(path);
      }
      if (!fs::is_directory(path)) {
        continue;
      }
      const auto domain = domain_of(path.filename().string());
      if (domain) {
        ++vendors_;
        list_vendor(path, *domain);
      } else if (depth < kDeepest) {
        walk(path, depth + 1);
      }
    }
  }

  /// The nearest folder above that names a split decides; --in itself may be that folder.
  std::optional<std::string> split_above(const fs::path& folder, const std::string& domain) const {
    fs::path at = folder.parent_path();
    const fs::path top = fs::absolute(root_).lexically_normal();
    for (;;) {
      fs::path name = fs::absolute(at).lexically_normal();
      const bool last = name == top || name == top.parent_path() || !name.has_relative_path();
      if (!name.has_filename()) {
        name = name.parent_path();
      }
      if (const auto split = split_of(name.filename().string(), domain)) {
        return split;
      }
      if (last) {
        return std::nullopt;
      }
      at = at.parent_path();
    }
  }

  void list_vendor(const fs::path& folder, const std::string& domain) {
    const auto split = split_above(folder, domain);
    std::vector<fs::path> cases;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory()) {
        cases.push_back(entry.path());
      }
    }
    std::sort(cases.begin(), cases.end());
    for (const fs::path& path : cases) {
      list_case(path, domain, split);
    }
  }

  void list_case(const fs::path& path, const std::string& domain,
                 const std::optional<std::string>& split) {
    const std::string id = path.filename().string();
    static const std::regex kCase("[0-9]+-([A-Za-z0-9]+)(-S([0-9]+))?");
    std::smatch match;
    if (!std::regex_match(id, match, kCase)) {
      listing.problems.push_back({id, path.string() + ": wanted a case folder NNNN-" + domain +
                                          " or NNNN-" + domain + "-S1…S4"});
      return;
    }
    CaseListing item;
    item.id = id;
    item.patient = id;  // four-digit numbers repeat across vendors; only the whole name is unique
    item.domain = domain;
    item.hospital = hospital_of(domain);
    item.vendor = domain.substr(0, 1);
    const std::string stage = match[3].str();
    if (!stage.empty()) {
      if (stage.size() != 1 || stage[0] < '1' || stage[0] > '4') {
        listing.problems.push_back(
            {id, path.string() + ": wanted stage S1 to S4, found S" + stage});
        return;
      }
      item.stage = stage[0] - '0';
    }
    if (match[1].str() != domain) {
      listing.problems.push_back({id, path.string() + ": the case is of vendor " + match[1].str() +
                                          ", its folder of vendor " + domain});
    }
    item.split = split.value_or(item.stage ? "train" : "val");
    const CaseFolder read(path, item, listing);
    listing.cases.push_back(std::move(item));
  }

  /// info.csv of the validation set says what is missing; the folders decide, differences are told.
  void check_info(const fs::path& path) {
    const CsvTable table(path);
    const std::size_t id_column = table.column({"case"});
    const auto missing_column = table.find({"missing modality", "missing"});
    for (const CsvTable::Row& row : table.rows()) {
      const std::string& id = row.cells[id_column];
      const auto found = std::find_if(listing.cases.begin(), listing.cases.end(),
                                      [&](const CaseListing& item) { return item.id == id; });
      if (found == listing.cases.end()) {
        listing.problems.push_back(
            {id, table.where(row) + ": lists the case, its folder is missing"});
      } else if (missing_column) {
        compare_missing(*found, row.cells[*missing_column], table.where(row));
      }
    }
  }

  void compare_missing(const CaseListing& item, const std::string& cell, const std::string& where) {
    std::set<std::string> told;
    std::string text = cell;
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == ';' || c == ' '; }, ',');
    for (const std::string& word : split(text, ',')) {
      if (const auto name = sequence_of(word)) {
        told.insert(name->name);
      }
    }
    for (const std::string& name : sequence_names()) {
      const bool there = std::any_of(item.sequences.begin(), item.sequences.end(),
                                     [&](const auto& s) { return s.sequence == name; });
      if (there == told.contains(name)) {
        listing.warnings.push_back(where + ": case " + item.id + " " + (there ? "has " : "lacks ") +
                                   name + ", the table says otherwise");
      }
    }
  }

  fs::path root_;
  int vendors_ = 0;
  std::vector<fs::path> infos_;
};

/// One row of the table that the paper prints as its Table 1.
struct CohortCount {
  int cases = 0, masks = 0, no_stage = 0;
  std::array<int, 4> stages{};
  std::map<std::string, int> missing;
};

void count_case(const CaseListing& item, CohortCount& row) {
  ++row.cases;
  row.masks += std::any_of(item.sequences.begin(), item.sequences.end(),
                           [](const auto& s) { return s.mask.has_value(); });
  if (item.stage) {
    ++row.stages[static_cast<std::size_t>(*item.stage - 1)];
  } else {
    ++row.no_stage;
  }
  for (const std::string& name : sequence_names()) {
    row.missing[name] += std::none_of(item.sequences.begin(), item.sequences.end(),
                                      [&](const auto& s) { return s.sequence == name; });
  }
}

std::vector<std::string> cells_of(const std::string& domain, const std::string& split,
                                  const CohortCount& row) {
  std::vector<std::string> cells{domain, split, std::to_string(row.cases),
                                 std::to_string(row.masks)};
  for (const int stage : row.stages) {
    cells.push_back(std::to_string(stage));
  }
  cells.push_back(std::to_string(row.no_stage));
  for (const std::string& name : sequence_names()) {
    cells.push_back(std::to_string(row.missing.at(name)));
  }
  return cells;
}

class LiqaSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    SourceListing listing = LiqaWalk(options.in).listing;
    listing.labels = {{"background", 0}, {"liver", 1}};
    return listing;
  }

  [[nodiscard]] std::string describe(const std::vector<CaseListing>& cases) const override {
    std::map<std::pair<std::string, std::string>, CohortCount> rows;
    CohortCount train, validation;
    for (const CaseListing& item : cases) {
      count_case(item, rows[{item.domain, item.split}]);
      if (item.split == "train" || item.split == "val") {
        count_case(item, item.split == "train" ? train : validation);
      }
    }
    std::vector<std::vector<std::string>> table{
        {"domain", "split", "cases", "masks", "S1", "S2", "S3", "S4", "no stage"}};
    for (const std::string& name : sequence_names()) {
      table.front().push_back("no " + name);
    }
    for (const auto& [key, row] : rows) {
      table.push_back(cells_of(key.first, key.second, row));
    }
    const std::string found = std::to_string(train.cases) + " / " +
                              std::to_string(validation.cases) + " / " +
                              std::to_string(train.masks);
    return format_table(table) +
           (found == "250 / 30 / 30" ? "training / validation / training masks as in the paper: "
                                     : "cohort differs from the paper (250 / 30 / 30 training / "
                                       "validation / training masks): found ") +
           found;
  }
};

}  // namespace

std::unique_ptr<Source> make_liqa_source() { return std::make_unique<LiqaSource>(); }

}  // namespace hepar
