#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "phantom/render.h"

namespace hepar::phantom {

/// How a data set lies on disk. A new one is one new file layout_<name>.cpp and one line in
/// layout.cpp; the anatomies and their rendering are shared.
class LayoutWriter {
 public:
  LayoutWriter() = default;
  virtual ~LayoutWriter() = default;
  LayoutWriter(const LayoutWriter&) = delete;
  LayoutWriter& operator=(const LayoutWriter&) = delete;
  LayoutWriter(LayoutWriter&&) = delete;
  LayoutWriter& operator=(LayoutWriter&&) = delete;

  /// Writes one sequence where the data set keeps it, and its mask where this patient's is
  /// published. Called from many threads, for different patients.
  virtual void write_sequence(const Patient& patient, const RenderedSequence& rendered) const = 0;
  /// Writes the tables that come with the data set; `written` are the sequences asked for.
  virtual void finish(const std::vector<Patient>& cohort,
                      const std::vector<int>& written) const = 0;
  /// Folder of one case's images, relative to the root.
  [[nodiscard]] virtual std::filesystem::path case_folder(const Patient& patient) const = 0;
};

/// "liqa2024" or "liqa2025". Throws ConfigError for others.
std::unique_ptr<LayoutWriter> make_layout(const std::string& name,
                                          const std::filesystem::path& root);
std::vector<std::string> layout_names();

std::unique_ptr<LayoutWriter> make_liqa_layout(const std::filesystem::path& root, int year);

/// A mask as the NIfTI files of the data sets store it.
StoredImage stored_mask(const RenderedSequence& rendered);
StoredImage stored_image(const RenderedSequence& rendered);

}  // namespace hepar::phantom
