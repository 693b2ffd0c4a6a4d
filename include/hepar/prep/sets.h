#pragma once
#include <filesystem>
#include <string>

#include "hepar/comm/communicator.h"
#include "hepar/core/config.h"

namespace hepar {

enum class SetKind { kCohort, kPrepared };

/// A folder with manifest.json is a cohort, one with prepared.json a prepared set. Throws
/// DataError.
SetKind kind_of_set(const std::filesystem::path& folder);

/// `hepar-prep verify SET`.
struct VerifyConfig {
  std::string data;  ///< a cohort or a prepared set
  void declare(ConfigSchema& schema);
};

/// Collective. Reads every file and every array again and compares their hashes with those written
/// when the set was made. Throws AgreedError (exit 3) that names all damaged files and arrays.
void verify(const VerifyConfig& config, Communicator& ranks);

/// `hepar-prep export`.
struct ExportConfig {
  std::string data;
  std::string out;
  void declare(ConfigSchema& schema);
};

/// Collective. Back to NIfTI. A cohort becomes CASE/SEQUENCE.nii.gz and CASE/mask_SEQUENCE.nii.gz
/// with the voxels, slope and grid of the files it came from; a prepared set becomes
/// SAMPLE/channel_NN.nii.gz (float, normalised) and SAMPLE/labels.nii.gz on the plan's grid. OUT
/// must not exist. Throws AgreedError.
void export_set(const ExportConfig& config, Communicator& ranks);

/// `hepar-prep inspect`.
struct InspectConfig {
  std::string in;  ///< a NIfTI or DICOM file, a folder of them (searched recursively; a folder with
                   ///< .dcm files is one series), or a set
  bool json = false;
  void declare(ConfigSchema& schema);
};

/// Prints one line a file (or a case's sequence): what it holds, or why it is refused. With `json`
/// one object a line with the keys file, status ("ok" or "refused"), reason, notes, size and
/// spacing_mm (z, y, x), affine (4 rows of 4; columns for x, y, z and the origin; RAS, mm), type,
/// slope, intercept, min, max, mean (of real values), xxh64 (of the stored voxels, slice by slice).
/// Throws DataError only when `in` is one refused file or no folder.
void inspect(const InspectConfig& config);

}  // namespace hepar
