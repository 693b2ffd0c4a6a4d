#include <algorithm>
#include <map>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "sources/source.h"

namespace hepar {
namespace {

/// dataset.json of a raw nnU-Net folder, version 1 or 2.
struct Dataset {
  std::string where;
  std::map<int, std::string> channels;
  std::map<std::string, int> labels;
  std::string ending = ".nii.gz";
  std::int64_t training = -1;  ///< numTraining; −1 when it is not said
  Json explicit_cases;         ///< the optional "dataset" map
};

int number_from(const std::string& text, const std::string& where) {
  require<DataError>(
      !text.empty() && text.size() < 6 &&
          std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }),
      where + ": wanted a number, found '" + text + "'");
  return std::stoi(text);
}

/// Version 2 says {"liver": 1}, version 1 says {"1": "liver"}.
std::map<std::string, int> labels_from(const Json& json, const std::string& where) {
  std::map<std::string, int> labels;
  for (const auto& [key, value] : json.items()) {
    require<DataError>(!value.is_array(),
                       where + ": label '" + key +
                           "' is a region (a list of values); wanted one value a "
                           "label: give the regions' parts labels of their own");
    if (value.is_string() && !key.empty() && key[0] >= '0' && key[0] <= '9') {
      labels[value.get<std::string>()] = number_from(key, where + ": labels");
    } else {
      labels[key] = value.is_string()
                        ? number_from(value.get<std::string>(), where + ": labels." + key)
                        : json_get<int>(json, key, where + ": labels");
    }
  }
  std::set<int> values;
  for (const auto& entry : labels) {
    values.insert(entry.second);
  }
  require<DataError>(values.size() == labels.size() && values.contains(0) &&
                         *values.rbegin() == static_cast<int>(values.size()) - 1,
                     where + ": labels: wanted the values 0, 1, 2, … each once, 0 the background");
  return labels;
}

Dataset read_dataset(const fs::path& path) {
  const Json json = read_json(path);
  Dataset dataset;
  dataset.where = path.string();
  const std::string channels = json.contains("channel_names") ? "channel_names" : "modality";
  const auto names = json_get<std::map<std::string, std::string>>(json, channels, dataset.where);
  for (const auto& [key, name] : names) {
    dataset.channels[number_from(key, dataset.where + ": " + channels)] = name;
  }
  require<DataError>(!dataset.channels.empty() &&
                         dataset.channels.rbegin()->first == static_cast<int>(names.size()) - 1,
                     dataset.where + ": " + channels + ": wanted the channels 0, 1, 2, …");
  std::set<std::string> different;
  for (auto& [key, name] : dataset.channels) {
    if (!different.insert(name).second) {
      name.append("_").append(std::to_string(key));  // two channels of one name are two sequences
    }
  }
  dataset.labels = labels_from(json_get<Json>(json, "labels", dataset.where), dataset.where);
  dataset.ending = json.value("file_ending", dataset.ending);
  dataset.training = json.value("numTraining", std::int64_t{-1});
  dataset.explicit_cases = json.value("dataset", Json());
  require<DataError>(
      dataset.ending == ".nii.gz" || dataset.ending == ".nii",
      dataset.where + ": file_ending: wanted .nii.gz or .nii, found " + dataset.ending);
  return dataset;
}

std::vector<fs::path> files_in(const fs::path& folder, const std::string& ending) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(ending) && name[0] != '.') {
        files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string channel_suffix(int channel) {
  const std::string digits = std::to_string(channel);
  return std::string("_").append(4 - std::min<std::size_t>(4, digits.size()), '0').append(digits);
}

class NnunetWalk {
 public:
  explicit NnunetWalk(const fs::path& root)
      : root_(root), dataset_(read_dataset(root / "dataset.json")) {
    listing.labels = dataset_.labels;
    if (dataset_.explicit_cases.is_object()) {
      list_explicit();
    } else {
      list_part("Tr", "train");
    }
    check_count();
    list_part("Va", "val");
    list_part("Ts", "test");
  }

  SourceListing listing;

 private:
  CaseListing new_case(const std::string& id, const std::string& split) const {
    CaseListing item;
    item.id = id;
    item.patient = id;
    item.split = split;
    item.one_grid = true;
    return item;
  }

  /// Every channel carries the case's mask: they share one grid.
  static void give_mask(CaseListing& item, const fs::path& mask) {
    for (SequenceListing& sequence : item.sequences) {
      sequence.mask = mask;
    }
  }

  void list_explicit() {
    for (const auto& [id, entry] : dataset_.explicit_cases.items()) {
      const std::string where = dataset_.where + ": dataset." + id;
      const auto images = json_get<std::vector<std::string>>(entry, "images", where);
      if (images.size() != dataset_.channels.size()) {
        listing.problems.push_back({id, where + ": wanted " +
                                            std::to_string(dataset_.channels.size()) +
                                            " images, found " + std::to_string(images.size())});
        continue;
      }
      CaseListing item = new_case(id, "train");
      for (std::size_t i = 0; i < images.size(); ++i) {
        item.sequences.push_back(
            {dataset_.channels.at(static_cast<int>(i)), root_ / images[i], std::nullopt, {}});
      }
      give_mask(item, root_ / json_get<std::string>(entry, "label", where));
      listing.cases.push_back(std::move(item));
    }
  }

  /// imagesTr and labelsTr and the like. Decathlon folders have one channel and no "_0000".
  void list_part(const std::string& part, const std::string& split) {
    const fs::path images = root_ / ("images" + part);
    const fs::path labels = root_ / ("labels" + part);
    std::map<std::string, std::map<int, fs::path>> cases;
    for (const fs::path& file : files_in(images, dataset_.ending)) {
      add_file(file, cases);
    }
    for (const auto& [id, files] : cases) {
      CaseListing item = new_case(id, split);
      for (const auto& [channel, name] : dataset_.channels) {
        const auto found = files.find(channel);
        item.sequences.push_back({name,
                                  found != files.end()
                                      ? found->second
                                      : images / (id + channel_suffix(channel) + dataset_.ending),
                                  std::nullopt,
                                  {}});
      }
      const fs::path mask = labels / (id + dataset_.ending);
      if (part == "Tr" || fs::exists(mask)) {
        give_mask(item, mask);
      }
      listing.cases.push_back(std::move(item));
    }
    for (const fs::path& file : files_in(labels, dataset_.ending)) {
      const std::string name = file.filename().string();
      const std::string id = name.substr(0, name.size() - dataset_.ending.size());
      if (!cases.contains(id)) {
        listing.problems.push_back(
            {id, file.string() + ": a label without an image in " + images.string()});
      }
    }
  }

  void add_file(const fs::path& file, std::map<std::string, std::map<int, fs::path>>& cases) {
    std::string id = file.filename().string();
    id.resize(id.size() - dataset_.ending.size());
    for (const auto& entry : dataset_.channels) {
      const std::string suffix = channel_suffix(entry.first);
      if (id.size() > suffix.size() && id.ends_with(suffix)) {
        cases[id.substr(0, id.size() - suffix.size())][entry.first] = file;
        return;
      }
    }
    if (dataset_.channels.size() == 1) {
      cases[id][0] = file;
    } else {
      listing.problems.push_back({id, file.string() + ": wanted a name ending in _0000 to " +
                                          channel_suffix(dataset_.channels.rbegin()->first)});
    }
  }

  void check_count() {
    const auto found = static_cast<std::int64_t>(listing.cases.size());
    if (dataset_.training >= 0 && dataset_.training != found) {
      listing.warnings.push_back(dataset_.where + ": numTraining is " +
                                 std::to_string(dataset_.training) + ", found " +
                                 std::to_string(found) + " training cases");
    }
  }

  fs::path root_;
  Dataset dataset_;
};

class NnunetSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    return NnunetWalk(options.in).listing;
  }
};

}  // namespace

std::unique_ptr<Source> make_nnunet_source() { return std::make_unique<NnunetSource>(); }

}  // namespace hepar
