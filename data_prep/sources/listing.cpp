#include <algorithm>
#include <set>

#include "convert/image_files.h"
#include "hepar/core/csv.h"
#include "hepar/core/error.h"
#include "hepar/core/parallel.h"
#include "hepar/core/text.h"
#include "sources/source.h"

namespace hepar {
namespace {

std::vector<std::string> ids_of(const SourceListing& listing) {
  std::vector<std::string> ids;
  for (const CaseListing& item : listing.cases) {
    ids.push_back(item.id);
  }
  for (const Problem& problem : listing.problems) {
    ids.push_back(problem.id);
  }
  return ids;
}

std::string did_you_mean(const std::string& id, const std::vector<std::string>& ids) {
  const std::string suggestion = nearest(id, ids);
  return suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?";
}

/// 1…4 from "3" or "S3"; nothing from an empty cell.
std::optional<int> stage_from(const std::string& cell, const std::string& where) {
  if (cell.empty()) {
    return std::nullopt;
  }
  const std::string digits = cell[0] == 'S' || cell[0] == 's' ? cell.substr(1) : cell;
  require<DataError>(digits.size() == 1 && digits[0] >= '1' && digits[0] <= '4',
                     where + ": wanted a stage of 1 to 4 (or S1 to S4), found '" + cell + "'");
  return digits[0] - '0';
}

void apply_labels(const fs::path& path, SourceListing& listing) {
  const CsvTable table(path);
  const std::size_t id_column = table.column({"case", "id"});
  const std::size_t stage_column = table.column({"stage"});
  const std::vector<std::string> ids = ids_of(listing);
  for (const CsvTable::Row& row : table.rows()) {
    const std::string& id = row.cells[id_column];
    require<DataError>(
        std::find(ids.begin(), ids.end(), id) != ids.end(),
        table.where(row) + ": there is no case '" + id + "'" + did_you_mean(id, ids));
    const std::optional<int> stage = stage_from(row.cells[stage_column], table.where(row));
    for (CaseListing& item : listing.cases) {
      if (item.id != id || !stage) {
        continue;
      }
      if (item.stage && item.stage != stage) {
        listing.problems.push_back({id, table.where(row) + ": says stage " +
                                            std::to_string(*stage) + ", the case itself says " +
                                            std::to_string(*item.stage)});
      }
      item.stage = stage;
    }
  }
}

/// Where a mask of one sequence may lie in the folder of --masks.
std::vector<fs::path> mask_candidates(const fs::path& folder, const CaseListing& item,
                                      const SequenceListing& sequence) {
  std::vector<fs::path> paths;
  for (const std::string extension : {".nii.gz", ".nii"}) {
    paths.push_back(folder / item.id / ("mask_" + sequence.sequence + extension));
    paths.push_back(folder / (item.id + "_mask_" + sequence.sequence + extension));
    if (sequence.sequence == "GED4" || item.sequences.size() == 1) {
      paths.push_back(folder / (item.id + extension));
    }
  }
  return paths;
}

void apply_masks(const fs::path& folder, SourceListing& listing) {
  require<DataError>(fs::is_directory(folder), folder.string() + ": wanted a folder of masks");
  std::size_t found = 0;
  for (CaseListing& item : listing.cases) {
    for (SequenceListing& sequence : item.sequences) {
      for (const fs::path& path : mask_candidates(folder, item, sequence)) {
        if (!fs::exists(path)) {
          continue;
        }
        ++found;
        if (sequence.mask) {
          listing.problems.push_back(
              {item.id, path.string() + ": a second mask beside " + sequence.mask->string()});
        }
        sequence.mask = path;
      }
    }
  }
  require<DataError>(found > 0, folder.string() +
                                    ": wanted masks named CASE/mask_SEQUENCE.nii.gz, "
                                    "CASE_mask_SEQUENCE.nii.gz or CASE.nii.gz, found none that "
                                    "belongs to a case");
}

void select_cases(const fs::path& path, SourceListing& listing) {
  const std::vector<std::string> ids = ids_of(listing);
  std::set<std::string> wanted;
  for (const std::string& line : split(read_text(path), '\n')) {
    const std::string id = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (id.empty() || id[0] == '#') {
      continue;
    }
    require<DataError>(std::find(ids.begin(), ids.end(), id) != ids.end(),
                       path.string() + ": there is no case '" + id + "'" + did_you_mean(id, ids));
    wanted.insert(id);
  }
  require<DataError>(!wanted.empty(), path.string() + ": wanted case ids, one a line, found none");
  std::erase_if(listing.cases, [&](const CaseListing& item) { return !wanted.contains(item.id); });
  std::erase_if(listing.problems, [&](const Problem& item) { return !wanted.contains(item.id); });
}

bool usable_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos;
}

void check_names(SourceListing& listing) {
  for (const CaseListing& item : listing.cases) {
    std::set<std::string> sequences;
    for (const SequenceListing& sequence : item.sequences) {
      if (!sequences.insert(sequence.sequence).second) {
        listing.problems.push_back(
            {item.id,
             sequence.image.string() + ": a second image of sequence " + sequence.sequence});
      }
      if (!usable_name(sequence.sequence)) {
        listing.problems.push_back({item.id, "sequence '" + sequence.sequence +
                                                 "': wanted a name without '/' or leading dot"});
      }
    }
    if (item.sequences.empty()) {
      listing.problems.push_back({item.id, "wanted at least one image, found none"});
    }
    if (!usable_name(item.id)) {
      listing.problems.push_back(
          {item.id, "case '" + item.id + "': wanted an id without '/' or leading dot"});
    }
  }
}

std::string first_image(const CaseListing& item) {
  return item.sequences.empty() ? "(no image)" : item.sequences.front().image.string();
}

/// Two cases with one id: both are named, neither is kept.
void refuse_duplicates(SourceListing& listing) {
  for (std::size_t i = 1; i < listing.cases.size(); ++i) {
    const CaseListing& a = listing.cases[i - 1];
    const CaseListing& b = listing.cases[i];
    if (a.id == b.id) {
      listing.problems.push_back({a.id, "two cases have the id '" + a.id + "': " + first_image(a) +
                                            " and " + first_image(b) + "; rename one"});
    }
  }
}

std::int64_t bytes_of(const fs::path& path) {
  try {
    const StoredImage header = read_image_header(path);
    return count(header.grid.size) * static_cast<std::int64_t>(bytes_per_voxel(header.type));
  } catch (const std::exception&) {
    // A bad file is reported when it is read; here its size on disk keeps the dealing defined.
    std::error_code error;
    const auto size = fs::is_directory(path) ? 0 : fs::file_size(path, error);
    return error ? 0 : static_cast<std::int64_t>(size);
  }
}

void declare_sizes(SourceListing& listing) {
  parallel_for(static_cast<std::int64_t>(listing.cases.size()), usable_processors(),
               [&](std::int64_t i) {
                 CaseListing& item = listing.cases[static_cast<std::size_t>(i)];
                 for (const SequenceListing& sequence : item.sequences) {
                   item.declared_bytes += bytes_of(sequence.image);
                 }
               });
}

void check_classes(const std::map<std::string, int>& labels) {
  int highest = 0;
  for (const auto& [name, value] : labels) {
    require<DataError>(
        value >= 0 && value <= 127,
        "label '" + name + "': wanted a value of 0 to 127, found " + std::to_string(value));
    highest = std::max(highest, value);
  }
  const auto ignore = labels.find("ignore");
  require<DataError>(ignore == labels.end() || ignore->second == highest,
                     "label 'ignore': wanted the highest value (" + std::to_string(highest) + ")");
}

Json to_json(const SequenceListing& sequence) {
  Json json{{"sequence", sequence.sequence}, {"image", sequence.image.string()}};
  json["mask"] = sequence.mask ? Json(sequence.mask->string()) : Json();
  json["notes"] = sequence.notes;
  // Only where they say something: listings of older cohorts keep their hash.
  for (const MaskValues& rule : sequence.mask_values) {
    json["mask_values"].push_back({rule.low, rule.high, rule.label});
  }
  if (sequence.png_descending) {
    json["png_descending"] = true;
  }
  return json;
}

CaseListing case_from_json(const Json& json) {
  CaseListing item;
  item.id = json.at("id");
  item.patient = json.at("patient");
  item.domain = json.at("domain");
  item.hospital = json.at("hospital");
  item.vendor = json.at("vendor");
  item.split = json.at("split");
  if (!json.at("stage").is_null()) {
    item.stage = json.at("stage").get<int>();
  }
  item.one_grid = json.at("one_grid");
  item.declared_bytes = json.at("declared_bytes");
  for (const Json& sequence : json.at("sequences")) {
    SequenceListing& added = item.sequences.emplace_back();
    added.sequence = sequence.at("sequence");
    added.image = sequence.at("image").get<std::string>();
    if (!sequence.at("mask").is_null()) {
      added.mask = sequence.at("mask").get<std::string>();
    }
    added.notes = sequence.at("notes").get<std::vector<std::string>>();
    for (const Json& rule : sequence.value("mask_values", Json::array())) {
      added.mask_values.push_back({rule.at(0), rule.at(1), rule.at(2)});
    }
    added.png_descending = sequence.value("png_descending", false);
  }
  return item;
}

std::optional<fs::path> search(const std::string& name, const fs::path& folder, int depth) {
  if (fs::is_directory(folder / name)) {
    return folder;
  }
  std::vector<fs::path> below;
  if (depth > 0 && fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory()) {
        below.push_back(entry.path());
      }
    }
  }
  std::sort(below.begin(), below.end());
  for (const fs::path& path : below) {
    if (auto found = search(name, path, depth - 1)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<fs::path> folder_with(const std::string& name, const fs::path& in) {
  constexpr int kDeepest = 4;
  return search(name, in, kDeepest);
}

Json to_json(const CaseListing& item) {
  Json json{{"id", item.id},
            {"patient", item.patient},
            {"domain", item.domain},
            {"hospital", item.hospital},
            {"vendor", item.vendor},
            {"split", item.split},
            {"stage", item.stage ? Json(*item.stage) : Json()},
            {"one_grid", item.one_grid},
            {"declared_bytes", item.declared_bytes},
            {"sequences", Json::array()}};
  for (const SequenceListing& sequence : item.sequences) {
    json["sequences"].push_back(to_json(sequence));
  }
  return json;
}

Json to_json(const SourceListing& listing) {
  Json json{{"labels", listing.labels},
            {"warnings", listing.warnings},
            {"report", listing.report},
            {"cases", Json::array()},
            {"problems", Json::array()}};
  for (const CaseListing& item : listing.cases) {
    json["cases"].push_back(to_json(item));
  }
  for (const Problem& problem : listing.problems) {
    json["problems"].push_back({problem.id, problem.text});
  }
  return json;
}

SourceListing listing_from_json(const Json& json) {
  SourceListing listing;
  listing.labels = json.at("labels").get<std::map<std::string, int>>();
  listing.warnings = json.at("warnings").get<std::vector<std::string>>();
  listing.report = json.at("report");
  for (const Json& item : json.at("cases")) {
    listing.cases.push_back(case_from_json(item));
  }
  for (const Json& problem : json.at("problems")) {
    listing.problems.push_back({problem.at(0), problem.at(1)});
  }
  return listing;
}

SourceListing list_source(const std::string& name, const SourceOptions& options) {
  const std::unique_ptr<Source> source = make_source(name);
  SourceListing listing = source->list(options);
  check_classes(listing.labels);
  if (!options.labels.empty()) {
    apply_labels(options.labels, listing);
  }
  if (!options.masks.empty()) {
    apply_masks(options.masks, listing);
  }
  if (!options.cases.empty()) {
    select_cases(options.cases, listing);
  }
  std::stable_sort(listing.cases.begin(), listing.cases.end(),
                   [](const CaseListing& a, const CaseListing& b) { return a.id < b.id; });
  for (CaseListing& item : listing.cases) {
    std::stable_sort(item.sequences.begin(), item.sequences.end(),
                     [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
  }
  refuse_duplicates(listing);
  check_names(listing);
  listing.report = source->describe(listing.cases);
  std::set<std::string> bad;
  for (const Problem& problem : listing.problems) {
    bad.insert(problem.id);
  }
  std::erase_if(listing.cases, [&](const CaseListing& item) { return bad.contains(item.id); });
  std::sort(listing.problems.begin(), listing.problems.end());
  declare_sizes(listing);
  require<DataError>(!listing.cases.empty() || !listing.problems.empty(),
                     options.in.string() + ": the source '" + name + "' found no case here");
  return listing;
}

}  // namespace hepar
