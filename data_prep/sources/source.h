#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hepar/core/files.h"
#include "hepar/core/json.h"

namespace hepar {

/// Values of a mask file that mean one label: `low` to `high`, both inclusive.
struct MaskValues {
  int low = 0, high = 0;
  int label = 0;
};

/// One image of a case, before anything was read.
struct SequenceListing {
  std::string sequence;
  fs::path image;                       ///< a NIfTI or DICOM file, or the folder of a DICOM series
  std::optional<fs::path> mask;         ///< the same, or a folder of PNG slices
  std::vector<std::string> notes = {};  ///< "DWI_600 taken as DWI_800"
  std::vector<MaskValues> mask_values = {};  ///< empty: the file's values are the labels
  bool png_descending = false;  ///< the first PNG belongs to the highest slice, not to the lowest
};

/// One case as its source lists it; all voxels are read and checked later, by shared code.
struct CaseListing {
  std::string id;  ///< unique in the cohort; names HDF5 groups and folders
  std::string patient, domain, hospital, vendor, split;
  std::optional<int> stage;  ///< 1…4
  bool one_grid = false;     ///< sequences are channels: all must lie on the first one's grid
  std::int64_t declared_bytes = 0;
  std::vector<SequenceListing> sequences;
};

/// A case that cannot be used, and why.
struct Problem {
  std::string id;
  std::string text;
  friend auto operator<=>(const Problem&, const Problem&) = default;
};

struct SourceListing {
  std::map<std::string, int> labels;  ///< name -> value; values outside are refused
  std::vector<CaseListing> cases;
  std::vector<Problem> problems;      ///< their cases are not in `cases`, or will be taken out
  std::vector<std::string> warnings;  ///< accepted, but the user should know
  std::string report;                 ///< what the source says about the cohort it found
};

struct SourceOptions {
  fs::path in, labels, masks, cases;
  std::vector<std::string> classes;
  bool ct = false;  ///< take CT too, where a data set has both
};

/// A data set's layout on disk. A new one is one new file here and one line in
/// table_of_sources.cpp.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  Source(Source&&) = delete;
  Source& operator=(Source&&) = delete;

  /// Lists the cases from names and small text files, in any order. Reads no voxels. Throws
  /// DataError when the folder is not this source's at all; what concerns one case becomes a
  /// Problem.
  [[nodiscard]] virtual SourceListing list(const SourceOptions& options) const = 0;
  /// What the user should read about the cases finally taken; empty when there is nothing to say.
  [[nodiscard]] virtual std::string describe(const std::vector<CaseListing>& cases) const;
};

/// Throws ConfigError with the nearest known name.
std::unique_ptr<Source> make_source(const std::string& name);

// The sources (table_of_sources.cpp names them).
std::unique_ptr<Source> make_amos_source();
std::unique_ptr<Source> make_atlas_source();
std::unique_ptr<Source> make_chaos_source();
std::unique_ptr<Source> make_liqa_source();
std::unique_ptr<Source> make_nnunet_source();
std::unique_ptr<Source> make_table_source();

/// The folder that holds a folder `name`: `in` itself or the first one below, at most four levels
/// down (archives wrap their content); nothing when there is none.
std::optional<fs::path> folder_with(const std::string& name, const fs::path& in);

/// make_source(name)->list() followed by what all sources share: stages of --labels, masks of
/// --masks, the selection of --cases, refusal of two cases with one id and of ids that cannot name
/// a folder, declared sizes, order by id, the source's own description.
SourceListing list_source(const std::string& name, const SourceOptions& options);

Json to_json(const SourceListing& listing);
SourceListing listing_from_json(const Json& json);
Json to_json(const CaseListing& listing);

}  // namespace hepar
