#include <array>
#include <cstdio>
#include <cstring>

#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/image/nifti.h"
#include "phantom/external.h"
#include "phantom/layout.h"

namespace hepar::phantom {
namespace {

// The data set mixes protocols; a patient has one of them.
constexpr std::array<int, 3> kProtocols{4, 0, 1};  // portal venous, T1 fat-suppressed, T2
constexpr std::array<int, 2> kDomains2{0, 3};      // two scanners, with other axis directions
constexpr int kFirstMr = 507;
constexpr int kFirstCt = 1;

// Labels of Organ: tumours are liver here.
const std::vector<int> kLabels{0, 6, 6, 1, 2, 3, 7, 8, 9};

constexpr std::array<const char*, 16> kNames{"background",
                                             "spleen",
                                             "right kidney",
                                             "left kidney",
                                             "gall bladder",
                                             "esophagus",
                                             "liver",
                                             "stomach",
                                             "arota",
                                             "postcava",
                                             "pancreas",
                                             "right adrenal gland",
                                             "left adrenal gland",
                                             "duodenum",
                                             "bladder",
                                             "prostate/uterus"};

PhantomParameters amos_parameters() {
  PhantomParameters p;
  p.domains[kDomains2[0]] = {.spacing_mm = {5.6, 3.0, 3.0},
                             .stage_counts = {1, 1, 1, 1},
                             .gamma = 1.05,
                             .gain = 300,
                             .bias = 0.40,
                             .noise = 0.040};
  p.domains[kDomains2[1]] = {.spacing_mm = {4.2, 2.9, 2.9},
                             .stage_counts = {1, 1, 1, 1},
                             .gamma = 0.9,
                             .gain = 700,
                             .bias = 0.55,
                             .noise = 0.055};
  p.acquisition.oblique_deg = 3;
  p.contrast.table[0] = {0.02, 0.30, 0.60, 0.40, 0.55, 0.05, 0.40,
                         0.70, 0.62, 0.55, 0.40, 0.50, 0.74};
  p.contrast.table[1] = {0.02, 0.90, 0.25, 0.45, 0.80, 0.05, 1.15,
                         0.90, 0.78, 0.50, 0.25, 0.90, 0.42};
  p.contrast.table[4] = {0.02, 0.28, 0.48, 0.36, 0.60, 0.06, 0.45,
                         1.10, 0.92, 0.95, 1.00, 0.55, 0.82};
  return p;
}

class AmosPhantom final : public ExternalSet {
 public:
  explicit AmosPhantom(const ExternalPlace& place)
      : place_(place), root_(place.root / "amos22"), parameters_(amos_parameters()) {}

  [[nodiscard]] int patients() const override { return place_.counts.all(); }

  void write(int index) const override {
    const int domain = kDomains2[static_cast<std::size_t>(index % 2)];
    const Patient patient = external_patient(place_, index, domain, parameters_);
    const Anatomy anatomy(patient, parameters_);
    const int sequence = kProtocols[static_cast<std::size_t>(index) % kProtocols.size()];
    const Acquisition acquisition = draw_acquisition(patient, anatomy, sequence, parameters_);
    StoredImage image = stored_image(render(patient, anatomy, acquisition, parameters_));
    if (is_ct(index)) {
      to_hounsfield_like(image);
    }
    const std::string part = part_of(index);
    fs::create_directories(root_ / ("images" + part));
    write_nifti(root_ / ("images" + part) / name_of(index), image);
    if (part == "Tr") {  // the labels of the other parts are kept back
      fs::create_directories(root_ / "labelsTr");
      write_nifti(
          root_ / "labelsTr" / name_of(index),
          from_labels(labels_of(organs_of(anatomy, acquisition), acquisition.grid, kLabels)));
    }
  }

  void finish() const override {
    Json json{{"name", "AMOS"}, {"modality", {{"0", "CT"}}}, {"licence", "synthetic"}};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      json["labels"][std::to_string(i)] = kNames[i];
    }
    for (const char* list : {"training", "validation", "test"}) {
      json[list] = Json::array();
    }
    for (int index = 0; index < patients(); ++index) {
      const std::string part = part_of(index);
      Json entry{{"image", "./images" + part + "/" + name_of(index)}};
      if (part != "Ts") {
        entry["label"] = "./labels" + part + "/" + name_of(index);
      }
      json[part == "Tr" ? "training" : (part == "Va" ? "validation" : "test")].push_back(entry);
    }
    json["numTraining"] = json["training"].size();
    write_json(root_ / "dataset.json", json);
  }

 private:
  [[nodiscard]] bool is_ct(int index) const {
    return index >= place_.counts.all() - place_.counts.ct;
  }

  [[nodiscard]] std::string part_of(int index) const {
    const ExternalCounts& counts = place_.counts;
    if (index < counts.train || is_ct(index)) {
      return "Tr";
    }
    return index < counts.train + counts.validation ? "Va" : "Ts";
  }

  /// amos_0507.nii.gz; the numbers have gaps, as the real ones do.
  [[nodiscard]] std::string name_of(int index) const {
    const int ct = index - (place_.counts.all() - place_.counts.ct);
    const int number = is_ct(index) ? kFirstCt + 3 * ct : kFirstMr + index + index / 3;
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "amos_%04d.nii.gz", number);
    return text.data();
  }

  /// A stand-in that only has CT's range: readers tell CT by the number, not by the values.
  static void to_hounsfield_like(StoredImage& image) {
    constexpr int kAir = -1000;
    for (std::size_t at = 0; at < image.voxels.size(); at += sizeof(std::int16_t)) {
      std::int16_t value = 0;
      std::memcpy(&value, image.voxels.data() + at, sizeof value);
      value = static_cast<std::int16_t>(value + kAir);
      std::memcpy(image.voxels.data() + at, &value, sizeof value);
    }
  }

  ExternalPlace place_;
  fs::path root_;
  PhantomParameters parameters_;
};

}  // namespace

std::unique_ptr<ExternalSet> make_amos_phantom(const ExternalPlace& place) {
  return std::make_unique<AmosPhantom>(place);
}

}  // namespace hepar::phantom
