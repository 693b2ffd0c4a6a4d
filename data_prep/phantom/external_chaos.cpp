#include <algorithm>
#include <array>
#include <cstdio>

#include "hepar/core/files.h"
#include "hepar/image/dicom.h"
#include "hepar/image/png.h"
#include "phantom/external.h"
#include "phantom/layout.h"

namespace hepar::phantom {
namespace {

constexpr int kDomain = 1;   // axes left, posterior, superior: DICOM's own axial directions
constexpr int kInPhase = 0;  // sequences of the generator that lend their draws
constexpr int kOutPhase = 3;
constexpr int kSpir = 1;

// The patients of the challenge's two folders, in order.
constexpr std::array<int, 20> kTrainIds{1,  2,  3,  5,  8,  10, 13, 15, 19, 20,
                                        21, 22, 31, 32, 33, 34, 36, 37, 38, 39};
constexpr std::array<int, 20> kTestIds{4,  6,  7,  9,  11, 12, 14, 16, 17, 18,
                                       23, 24, 25, 26, 27, 28, 29, 30, 35, 40};

// Grey values of Organ in the masks; what has no value of its own is background.
const std::vector<int> kGrey{0, 63, 63, 252, 126, 189, 0, 0, 0};

PhantomParameters chaos_parameters() {
  PhantomParameters p;
  p.domains[kDomain] = {.spacing_mm = {6.2, 2.8, 2.8},
                        .stage_counts = {1, 1, 1, 1},
                        .gamma = 1.0,
                        .gain = 1100,
                        .bias = 0.30,
                        .noise = 0.035};
  p.acquisition.oblique_deg = 5;
  p.anatomy.max_lesions = 0;  // healthy donors
  p.contrast.table[kInPhase] = {0.02, 1.25, 0.55, 0.60, 0.50, 0.05, 0.40,
                                0.48, 0.46, 0.50, 0.35, 0.40, 0.66};
  p.contrast.table[kOutPhase] = {0.02, 0.95, 0.58, 0.45, 0.52, 0.05, 0.42,
                                 0.52, 0.50, 0.52, 0.36, 0.42, 0.60};
  p.contrast.table[kSpir] = {0.02, 0.15, 0.20, 0.25, 0.60, 0.05, 1.00,
                             0.95, 0.80, 0.40, 0.30, 0.95, 0.34};
  return p;
}

std::string numbered(int series, std::int64_t number, const char* ending) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "IMG-%04d-%05lld.%s", series,
                static_cast<long long>(number), ending);
  return text.data();
}

/// Names of slices first, first + step, …
std::vector<std::string> names(int series, std::int64_t slices, int first, int step,
                               const char* ending) {
  std::vector<std::string> files;
  for (std::int64_t i = 0; i < slices; ++i) {
    files.push_back(numbered(series, first + i * step, ending));
  }
  return files;
}

class ChaosPhantom final : public ExternalSet {
 public:
  explicit ChaosPhantom(const ExternalPlace& place)
      : place_(place), parameters_(chaos_parameters()) {}

  [[nodiscard]] int patients() const override { return place_.counts.all(); }

  void write(int index) const override {
    const Patient patient = external_patient(place_, index, kDomain, parameters_);
    const Anatomy anatomy(patient, parameters_);
    const Work work{patient, anatomy, id_of(index), folder_of(index), is_train(index)};
    const Acquisition in_phase = draw_acquisition(patient, anatomy, kInPhase, parameters_);
    // The second echo of one acquisition: the same grid and motion, another contrast and noise.
    Acquisition out_phase = in_phase;
    out_phase.sequence = kOutPhase;
    out_phase.intensity = draw_acquisition(patient, anatomy, kOutPhase, parameters_).intensity;
    const Acquisition spir = draw_acquisition(patient, anatomy, kSpir, parameters_);
    const fs::path dual = work.folder / "T1DUAL";
    const std::int64_t slices = in_phase.grid.size.z;
    // The echoes' files are numbered in turns, the masks as the in-phase images.
    write_images(
        work, in_phase,
        {dual / "DICOM_anon/InPhase", "T1-DUAL in-phase", 4, 4.6, names(4, slices, 2, 2, "dcm")});
    write_images(
        work, out_phase,
        {dual / "DICOM_anon/OutPhase", "T1-DUAL out-phase", 4, 2.3, names(4, slices, 1, 2, "dcm")});
    write_masks(work, in_phase, dual / "Ground", names(4, slices, 2, 2, "png"));
    write_images(work, spir,
                 {work.folder / "T2SPIR/DICOM_anon", "T2-SPIR", 2, 70,
                  names(2, spir.grid.size.z, 1, 1, "dcm")});
    write_masks(work, spir, work.folder / "T2SPIR/Ground", names(2, spir.grid.size.z, 1, 1, "png"));
  }

 private:
  struct Work {
    const Patient& patient;
    const Anatomy& anatomy;
    std::string id;
    fs::path folder;
    bool train;
  };
  struct Series {
    fs::path folder;
    std::string description;
    int number;
    double echo_time_ms;
    std::vector<std::string> files;
  };

  [[nodiscard]] bool is_train(int index) const { return index < place_.counts.train; }

  [[nodiscard]] std::string id_of(int index) const {
    const auto at = static_cast<std::size_t>(index);
    return std::to_string(is_train(index)
                              ? kTrainIds.at(at)
                              : kTestIds.at(at - static_cast<std::size_t>(place_.counts.train)));
  }

  [[nodiscard]] fs::path folder_of(int index) const {
    return place_.root / (is_train(index) ? "Train_Sets" : "Test_Sets") / "MR" / id_of(index);
  }

  void write_images(const Work& work, const Acquisition& acquisition, const Series& series) const {
    StoredImage image = stored_image(render(work.patient, work.anatomy, acquisition, parameters_));
    image.type = VoxelType::kUint16;  // magnitudes: never negative, so the bytes stay
    const std::string name = "chaos/" + std::to_string(place_.seed) + "/" + work.id;
    write_dicom_series(series.folder, image,
                       {"CHAOS^MR_SET_" + work.id, series.description, dicom_uid(name),
                        dicom_uid(name + "/" + series.description), series.number,
                        series.echo_time_ms, series.files});
  }

  static void write_masks(const Work& work, const Acquisition& acquisition, const fs::path& folder,
                          const std::vector<std::string>& files) {
    if (!work.train) {
      return;
    }
    const Grid& grid = acquisition.grid;
    const LabelImage labels = labels_of(organs_of(work.anatomy, acquisition), grid, kGrey);
    fs::create_directories(folder);
    const auto pixels = static_cast<std::ptrdiff_t>(grid.size.y * grid.size.x);
    auto first = labels.voxels.begin();
    for (const std::string& file : files) {
      GreyPng png{grid.size.y, grid.size.x, 8, {}};
      std::transform(first, first + pixels, std::back_inserter(png.pixels),
                     [](std::int16_t value) { return static_cast<std::uint8_t>(value); });
      write_png(folder / file, png);
      first += pixels;
    }
  }

  ExternalPlace place_;
  PhantomParameters parameters_;
};

}  // namespace

std::unique_ptr<ExternalSet> make_chaos_phantom(const ExternalPlace& place) {
  return std::make_unique<ChaosPhantom>(place);
}

}  // namespace hepar::phantom
