#include <array>

#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/image/nifti.h"
#include "phantom/external.h"
#include "phantom/layout.h"

namespace hepar::phantom {
namespace {

constexpr int kDomain = 2;
constexpr std::array<int, 3> kPhases{3, 4, 5};
constexpr std::array<const char*, 3> kPhaseNames{"arterial", "portal", "delayed"};

// Labels of Organ: liver and tumour are apart, nothing else is labelled.
const std::vector<int> kLabels{0, 1, 2, 0, 0, 0, 0, 0, 0};

PhantomParameters atlas_parameters() {
  PhantomParameters p;
  p.domains[kDomain] = {.spacing_mm = {4.0, 2.8, 2.8},
                        .stage_counts = {1, 1, 1, 1},
                        .gamma = 1.1,
                        .gain = 500,
                        .bias = 0.45,
                        .noise = 0.050};
  p.acquisition.oblique_deg = 8;
  p.anatomy.max_lesions = 6;  // every patient of the data set has a tumour
  p.contrast.table[3] = {0.02, 0.30, 0.40, 0.30, 0.50, 0.05, 0.40,
                         1.15, 0.95, 1.05, 0.90, 0.85, 0.48};
  p.contrast.table[4] = {0.02, 0.32, 0.48, 0.34, 0.52, 0.05, 0.42,
                         1.10, 0.86, 0.92, 1.00, 0.50, 0.80};
  p.contrast.table[5] = {0.02, 0.34, 0.52, 0.36, 0.52, 0.05, 0.42,
                         1.00, 0.74, 0.80, 0.86, 0.46, 0.70};
  return p;
}

class AtlasPhantom final : public ExternalSet {
 public:
  explicit AtlasPhantom(const ExternalPlace& place)
      : place_(place),
        root_(place.root / "atlas-train-dataset-1.0.1" / "train"),
        parameters_(atlas_parameters()) {}

  [[nodiscard]] int patients() const override { return place_.counts.all(); }

  void write(int index) const override {
    const Patient patient = external_patient(place_, index, kDomain, parameters_);
    const Anatomy anatomy(patient, parameters_);
    const int sequence = kPhases[static_cast<std::size_t>(index) % kPhases.size()];
    const Acquisition acquisition = draw_acquisition(patient, anatomy, sequence, parameters_);
    fs::create_directories(root_ / "imagesTr");
    fs::create_directories(root_ / "labelsTr");
    const std::string number = std::to_string(index);
    write_nifti(root_ / "imagesTr" / ("im" + number + ".nii.gz"),
                stored_image(render(patient, anatomy, acquisition, parameters_)));
    write_nifti(root_ / "labelsTr" / ("lb" + number + ".nii.gz"),
                from_labels(labels_of(organs_of(anatomy, acquisition), acquisition.grid, kLabels)));
  }

  void finish() const override {
    Json data{{"name", "ATLAS"},
              {"modality", {{"0", "MRI"}}},
              {"labels", {{"0", "background"}, {"1", "liver"}, {"2", "tumor"}}},
              {"numTraining", patients()},
              {"training", Json::array()}};
    Json info = Json::object();
    for (int index = 0; index < patients(); ++index) {
      const std::string number = std::to_string(index);
      data["training"].push_back({{"image", "./imagesTr/im" + number + ".nii.gz"},
                                  {"label", "./labelsTr/lb" + number + ".nii.gz"}});
      info[number] = {{"machine", index % 2 == 0 ? "Phantom Aera" : "Phantom Optima"},
                      {"sequence", "T1 GRE"},
                      {"contrast_phase", kPhaseNames[static_cast<std::size_t>(index) % 3]},
                      {"date", "2000-01-01"}};
    }
    write_json(root_ / "dataset.json", data);
    write_json(root_ / "patient_info_train.json", info);
  }

 private:
  ExternalPlace place_;
  fs::path root_;
  PhantomParameters parameters_;
};

}  // namespace

std::unique_ptr<ExternalSet> make_atlas_phantom(const ExternalPlace& place) {
  return std::make_unique<AtlasPhantom>(place);
}

}  // namespace hepar::phantom
