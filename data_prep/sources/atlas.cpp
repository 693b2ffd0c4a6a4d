#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>

#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "sources/source.h"

namespace hepar {
namespace {

/// Liver and tumour are apart in the files; together they are the organ.
const std::vector<MaskValues>& whole_liver() {
  static const std::vector<MaskValues> kValues{{0, 0, 0}, {1, 2, 1}};
  return kValues;
}

/// im7.nii.gz and lb7.nii.gz by their number, which some mirrors write as im07.
std::map<int, fs::path> numbered(const fs::path& folder, const std::string& prefix,
                                 SourceListing& listing) {
  const std::regex name(prefix + "([0-9]{1,6})\\.nii(\\.gz)?");
  std::vector<fs::path> files;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::map<int, fs::path> found;
  for (const fs::path& file : files) {
    const std::string text = file.filename().string();
    std::smatch match;
    if (!std::regex_match(text, match, name)) {
      if (!text.starts_with(".")) {
        listing.warnings.push_back(file.string() + ": is no " + prefix +
                                   "N.nii.gz file and is not read");
      }
      continue;
    }
    const auto [other, is_new] = found.emplace(std::stoi(match[1].str()), file);
    if (!is_new) {
      listing.problems.push_back(
          {text, file.string() + ": has the same number as " + other->second.string()});
    }
  }
  return found;
}

std::string case_id(int number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "ATLAS_%03d", number);
  return text.data();
}

/// The scanner of each case by its number, where patient_info_train.json says it.
std::map<int, std::string> machines_of(const fs::path& path) {
  std::map<int, std::string> machines;
  if (!fs::exists(path)) {
    return machines;
  }
  const Json info = read_json(path);
  for (const auto& [key, entry] : info.items()) {
    const bool is_number =
        !key.empty() && key.size() < 7 && key.find_first_not_of("0123456789") == std::string::npos;
    if (is_number && entry.is_object() && entry.contains("machine")) {
      machines[std::stoi(key)] = json_get<std::string>(entry, "machine", path.string());
    }
  }
  return machines;
}

class AtlasSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    const auto root = folder_with("imagesTr", options.in);
    require<DataError>(root.has_value(), options.in.string() +
                                             ": wanted the ATLAS folder with imagesTr and "
                                             "labelsTr, found none");
    SourceListing listing;
    listing.labels = {{"background", 0}, {"liver", 1}};
    const auto images = numbered(*root / "imagesTr", "im", listing);
    auto masks = numbered(*root / "labelsTr", "lb", listing);
    const auto machines = machines_of(*root / "patient_info_train.json");
    for (const auto& [number, image] : images) {
      CaseListing item;
      item.id = case_id(number);
      item.patient = item.id;
      item.domain = "ATLAS";
      item.split = "train";
      if (const auto machine = machines.find(number); machine != machines.end()) {
        item.vendor = machine->second;
      }
      SequenceListing& sequence = item.sequences.emplace_back();
      sequence.sequence = "CE_T1";
      sequence.image = image;
      sequence.mask_values = whole_liver();
      const auto mask = masks.find(number);
      sequence.mask = mask != masks.end()
                          ? mask->second
                          : *root / "labelsTr" / ("lb" + std::to_string(number) + ".nii.gz");
      listing.cases.push_back(std::move(item));
    }
    for (const auto& [number, mask] : masks) {
      if (!images.contains(number)) {
        listing.problems.push_back(
            {case_id(number), mask.string() + ": a label without an image im" +
                                  std::to_string(number) + ".nii.gz in imagesTr"});
      }
    }
    return listing;
  }
};

}  // namespace

std::unique_ptr<Source> make_atlas_source() { return std::make_unique<AtlasSource>(); }

}  // namespace hepar
