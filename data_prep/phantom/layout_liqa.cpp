#include <algorithm>

#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "phantom/layout.h"

namespace hepar::phantom {

namespace {

// LiQA as distributed: the stage of a training case is in its folder's name; validation and test
// cases carry none. 2025 spells some T2 files "T2WI" and the vendor folders of the test archives
// "Vendor-X".
class LiqaLayout final : public LayoutWriter {
 public:
  LiqaLayout(fs::path root, int year) : root_(std::move(root)), year_(year) {}

  void write_sequence(const Patient& patient, const RenderedSequence& rendered) const override {
    const std::string sequence(kSequenceNames[rendered.sequence]);
    if (!patient.missing[rendered.sequence]) {
      const fs::path folder = root_ / case_folder(patient);
      write(folder / (file_name(patient, rendered.sequence) + ".nii.gz"), stored_image(rendered));
      if (rendered.sequence == kGed4 && patient.has_mask) {
        const bool train = patient.key.split == Split::kTrain;
        const fs::path where = train ? folder : root_ / "masks" / patient.id();
        write(where / "mask_GED4.nii.gz", stored_mask(rendered));
      }
      write(root_ / "truth" / case_folder(patient).filename() / (sequence + ".nii.gz"),
            stored_mask(rendered));
    }
  }

  void finish(const std::vector<Patient>& cohort, const std::vector<int>& written) const override {
    for (const auto& [folder, in] :
         {std::pair<const char*, bool (*)(const Patient&)>{
              "LiQA_val", [](const Patient& p) { return is_validation(p); }},
          {"LiQA_test/ID", [](const Patient& p) { return is_test(p) && !is_ood(p); }},
          {"LiQA_test/OOD", [](const Patient& p) { return is_test(p) && is_ood(p); }}}) {
      std::string info = "Case,Vendor,Missing Modality\n";
      bool any = false;
      for (const Patient& patient : cohort) {
        if (in(patient)) {
          any = true;
          info += patient.id() + "," + std::string(kDomainNames[patient.key.domain]) + "," +
                  missing_modalities(patient, written) + "\n";
        }
      }
      if (any) {
        fs::create_directories(root_ / folder);
        write_atomically(root_ / folder / "info.csv", info);
      }
    }
    std::string labels = "case,stage\n";
    for (const Patient& patient : cohort) {
      if (patient.key.split != Split::kTrain) {
        labels += patient.id() + "," + std::to_string(patient.stage + 1) + "\n";
      }
    }
    write_atomically(root_ / "labels.csv", labels);
  }

  [[nodiscard]] fs::path case_folder(const Patient& patient) const override {
    const std::string domain(kDomainNames[patient.key.domain]);
    if (patient.key.split == Split::kTrain) {
      return fs::path("LiQA_training_data") / ("Vendor_" + domain) / patient.id_with_stage();
    }
    if (is_validation(patient)) {
      return fs::path("LiQA_val") / "Data" / ("Vendor_" + domain) / patient.id();
    }
    const char* joint = year_ == 2025 ? "Vendor-" : "Vendor_";
    return fs::path("LiQA_test") / (is_ood(patient) ? "OOD" : "ID") / "Data" / (joint + domain) /
           patient.id();
  }

 private:
  static bool is_validation(const Patient& patient) {
    return patient.key.split == Split::kValidation;
  }
  static bool is_test(const Patient& patient) { return patient.key.split == Split::kTest; }
  static bool is_ood(const Patient& patient) { return patient.key.domain == kDomainC; }

  [[nodiscard]] std::string file_name(const Patient& patient, int sequence) const {
    const bool alias = year_ == 2025 && sequence == kT2 && patient.number % 3 == 0;
    return alias ? "T2WI" : std::string(kSequenceNames[sequence]);
  }

  static std::string missing_modalities(const Patient& patient, const std::vector<int>& written) {
    std::vector<std::string> names;
    for (int s = 0; s < kSequences; ++s) {
      const bool asked = std::find(written.begin(), written.end(), s) != written.end();
      if (patient.missing[s] || !asked) {
        names.emplace_back(kSequenceNames[s]);
      }
    }
    const std::string joined = join(names, ", ");
    return names.size() > 1 ? "\"" + joined + "\"" : joined;
  }

  static void write(const fs::path& path, const StoredImage& image) {
    fs::create_directories(path.parent_path());
    write_nifti(path, image);
  }

  fs::path root_;
  int year_;
};

}  // namespace

std::unique_ptr<LayoutWriter> make_liqa_layout(const fs::path& root, int year) {
  return std::make_unique<LiqaLayout>(root, year);
}

}  // namespace hepar::phantom
