#include <algorithm>
#include <cstdio>
#include <map>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "sources/source.h"

namespace hepar {
namespace {

// Grey values of the MR masks: the organ is written as one value, readers take a range around it.
const std::vector<MaskValues>& mr_values() {
  static const std::vector<MaskValues> kValues{{0, 0, 0},       // background
                                               {56, 70, 1},     // liver, 63
                                               {111, 135, 0},   // right kidney, 126
                                               {176, 200, 0},   // left kidney, 189
                                               {241, 255, 0}};  // spleen, 252
  return kValues;
}

/// The CT masks hold the liver alone.
const std::vector<MaskValues>& ct_values() {
  static const std::vector<MaskValues> kValues{{0, 0, 0}, {1, 255, 1}};
  return kValues;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) {
      folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

bool has_files(const fs::path& folder) {
  return fs::is_directory(folder) &&
         std::any_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const auto& entry) { return entry.is_regular_file(); });
}

/// "MR", "3" -> "CHAOS_MR_03": the data set's CT and MR patients are others, with the same numbers.
std::string case_id(const std::string& modality, const std::string& folder) {
  const bool is_number = !folder.empty() && folder.size() < 4 &&
                         folder.find_first_not_of("0123456789") == std::string::npos;
  return "CHAOS_" + modality + "_" + (is_number && folder.size() == 1 ? "0" : "") + folder;
}

/// Train_Sets/MR/<id>/{T1DUAL,T2SPIR} and Train_Sets/CT/<id>, wherever an archive put them.
class ChaosWalk {
 public:
  ChaosWalk(const fs::path& root, bool ct) : root_(root), ct_(ct) {
    require<DataError>(fs::is_directory(root),
                       root.string() + ": wanted the folder of the CHAOS data");
    walk(root, 0);
    require<DataError>(found_ > 0, root.string() +
                                       ": wanted folders MR/<id>/T1DUAL, MR/<id>/T2SPIR or "
                                       "CT/<id> with DICOM_anon below, found none");
    if (skipped_ct_ > 0) {
      listing.warnings.push_back(std::to_string(skipped_ct_) +
                                 " CT patients are not taken; --ct true takes them");
    }
  }

  SourceListing listing;

 private:
  void walk(const fs::path& folder, int depth) {
    constexpr int kDeepest = 6;
    const bool is_mr = fs::is_directory(folder / "T1DUAL") || fs::is_directory(folder / "T2SPIR");
    if (is_mr) {
      list_mr(folder);
    } else if (fs::is_directory(folder / "DICOM_anon")) {
      list_ct(folder);
    } else if (depth < kDeepest) {
      for (const fs::path& below : folders_in(folder)) {
        walk(below, depth + 1);
      }
    }
  }

  CaseListing new_case(const fs::path& folder, const std::string& modality) {
    ++found_;
    const std::string name = fs::absolute(folder / "").lexically_normal().parent_path().filename();
    CaseListing item;
    item.id = case_id(modality, name);
    item.patient = item.id;
    item.domain = "CHAOS_" + modality;
    item.split = split_of(folder);
    return item;
  }

  /// "Train_Sets" or "Test_Sets" above the patient; without either, masks are expected.
  [[nodiscard]] std::string split_of(const fs::path& folder) const {
    for (const fs::path& part : fs::absolute(folder).lexically_normal().lexically_relative(
             fs::absolute(root_ / "").lexically_normal().parent_path().parent_path())) {
      const std::string name = to_lower(part.string());
      if (name.starts_with("test_set")) {
        return "test";
      }
    }
    return "train";
  }

  void list_mr(const fs::path& folder) {
    CaseListing item = new_case(folder, "MR");
    const fs::path dual = folder / "T1DUAL";
    const fs::path spir = folder / "T2SPIR";
    if (fs::is_directory(dual)) {
      add(item, {"T1_IN", dual / "DICOM_anon" / "InPhase", dual / "Ground"});
      add(item, {"T1_OUT", dual / "DICOM_anon" / "OutPhase", dual / "Ground"});
    }
    if (fs::is_directory(spir)) {
      add(item, {"T2_SPIR", spir / "DICOM_anon", spir / "Ground"});
    }
    for (SequenceListing& sequence : item.sequences) {
      sequence.mask_values = mr_values();
    }
    listing.cases.push_back(std::move(item));
  }

  void list_ct(const fs::path& folder) {
    if (!ct_) {
      ++found_;
      ++skipped_ct_;
      return;
    }
    CaseListing item = new_case(folder, "CT");
    add(item, {"CT", folder / "DICOM_anon", folder / "Ground"});
    for (SequenceListing& sequence : item.sequences) {
      sequence.mask_values = ct_values();
      sequence.png_descending = true;  // the CT masks are numbered from the head down
    }
    listing.cases.push_back(std::move(item));
  }

  struct Place {
    std::string sequence;
    fs::path images, masks;
  };

  void add(CaseListing& item, const Place& place) {
    if (!has_files(place.images)) {
      listing.problems.push_back({item.id, place.images.string() + ": wanted the DICOM files of " +
                                               place.sequence + ", found none"});
      return;
    }
    SequenceListing& added = item.sequences.emplace_back();
    added.sequence = place.sequence;
    added.image = place.images;
    if (has_files(place.masks)) {
      added.mask = place.masks;
    } else if (item.split == "train") {
      listing.problems.push_back({item.id, place.masks.string() +
                                               ": wanted the PNG masks of a training series, "
                                               "found none"});
    }
  }

  fs::path root_;
  bool ct_;
  int found_ = 0;
  int skipped_ct_ = 0;
};

class ChaosSource final : public Source {
 public:
  [[nodiscard]] SourceListing list(const SourceOptions& options) const override {
    SourceListing listing = ChaosWalk(options.in, options.ct).listing;
    listing.labels = {{"background", 0}, {"liver", 1}};
    return listing;
  }
};

}  // namespace

std::unique_ptr<Source> make_chaos_source() { return std::make_unique<ChaosSource>(); }

}  // namespace hepar
