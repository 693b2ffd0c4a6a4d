#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "sources/source.h"

namespace hepar {
namespace {

constexpr int kLastCt =
    500;  // the data set numbers CT up to here and MR above; headers do not tell
constexpr int kLiver = 6;
constexpr int kLastOrgan = 15;

const std::vector<MaskValues>& liver_of_organs() {
  static const std::vector<MaskValues> kValues{
      {0, kLiver - 1, 0}, {kLiver, kLiver, 1}, {kLiver + 1, kLastOrgan, 0}};
  return kValues;
}

std::optional<int> number_of(const std::string& file) {
  static const std::regex kName("amos_([0-9]+)\\.nii(\\.gz)?");
  constexpr int kMostDigits = 8;
  std::smatch match;
  if (!std::regex_match(file, match, kName) || match[1].length() > kMostDigits) {
    return std::nullopt;
  }
  return std::stoi(match[1].str());
}

class AmosWalk {
 public:
  AmosWalk(fs::path root, bool ct) : root_(std::move(root)), ct_(ct) {
    list_part("Tr", "train");
    list_part("Va", "val");
    list_part("Ts", "test");
    if (fs::exists(root_ / "dataset.json")) {
      check_dataset();
    }
    if (skipped_ct_ > 0) {
      listing.warnings.push_back(std::to_string(skipped_ct_) +
                                 " CT volumes (ids up to 500) are not taken; --ct true takes them");
    }
  }

  SourceListing listing;

 private:
  void list_part(const std::string& part, const std::string& split) {
    const fs::path images = root_ / ("images" + part);
    const fs::path labels = root_ / ("labels" + part);
    if (!fs::is_directory(images)) {
      return;
    }
    for (const auto& entry : fs::directory_iterator(images)) {
      const std::string name = entry.path().filename().string();
      const auto number = number_of(name);
      if (number && (*number > kLastCt || ct_)) {
        add({name, *number, split}, entry.path(), labels);
      } else if (number) {
        ++skipped_ct_;
      } else if (!name.starts_with(".")) {
        listing.warnings.push_back(entry.path().string() +
                                   ": is no amos_NNNN file and is not read");
      }
    }
  }

  struct Name {
    std::string file;
    int number;
    std::string split;
  };

  void add(const Name& name, const fs::path& image, const fs::path& labels) {
    CaseListing item;
    item.id = name.file.substr(0, name.file.find('.'));
    item.patient = item.id;
    const bool is_mr = name.number > kLastCt;
    item.domain = is_mr ? "AMOS_MR" : "AMOS_CT";
    item.split = name.split;
    SequenceListing& sequence = item.sequences.emplace_back();
    sequence.sequence = is_mr ? "MR" : "CT";
    sequence.image = image;
    sequence.mask_values = liver_of_organs();
    // Early releases keep the validation labels back; only a training case must have one.
    if (fs::exists(labels / name.file) || name.split == "train") {
      sequence.mask = labels / name.file;
    }
    files_.insert(image.parent_path().filename() / name.file);
    listing.cases.push_back(std::move(item));
  }

  /// dataset.json says what the labels mean and which files there should be.
  void check_dataset() {
    const fs::path path = root_ / "dataset.json";
    const Json json = read_json(path);
    const auto labels = json_get<std::map<std::string, std::string>>(json, "labels", path.string());
    const auto liver = labels.find(std::to_string(kLiver));
    require<DataError>(liver != labels.end() && liver->second == "liver",
                       path.string() + ": labels.6: wanted liver, found " +
                           (liver == labels.end() ? "nothing" : liver->second));
    for (const std::string list : {"training", "validation", "test"}) {
      for (const Json& entry : json.value(list, Json::array())) {
        check_entry(entry, path.string() + ": " + list);
      }
    }
  }

  void check_entry(const Json& entry, const std::string& where) {
    const fs::path image =
        entry.is_string() ? entry.get<std::string>() : json_get<std::string>(entry, "image", where);
    const auto number = number_of(image.filename().string());
    if (!number || (*number <= kLastCt && !ct_) || files_.contains(image.lexically_normal())) {
      return;
    }
    const std::string name = image.filename().string();
    listing.problems.push_back({name.substr(0, name.find('.')),
                                where + ": lists " + image.string() + ", the file is missing"});
  }

  fs::path root_;
  bool ct_;
  int skipped_ct_ = 0;
  std::set<fs::path> files_;
};

class AmosSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    const auto root = folder_with("imagesTr", options.in);
    require<DataError>(root.has_value(),
                       options.in.string() + ": wanted the AMOS folder with imagesTr, found none");
    SourceListing listing = AmosWalk(*root, options.ct).listing;
    listing.labels = {{"background", 0}, {"liver", 1}};
    return listing;
  }
};

}  // namespace

std::unique_ptr<Source> make_amos_source() { return std::make_unique<AmosSource>(); }

}  // namespace hepar
