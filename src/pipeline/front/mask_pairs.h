#pragma once
#include <hepar/image/image.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hepar::detail {

/// A predicted mask and its reference.
struct MaskPair {
  std::string id;
  std::filesystem::path prediction, reference;
};

struct MaskPairing {
  std::vector<MaskPair> pairs;        ///< sorted by id
  std::vector<std::string> problems;  ///< an id without prediction or reference, two files of one
};

/// Pairs the NIfTI files of two folders by name. Throws DataError when one is no folder of masks.
MaskPairing pair_masks(const std::string& predictions, const std::string& references);

/// Throws DataError with both grids when they differ.
void check_grids(const MaskPair& pair, const Grid& prediction, const Grid& reference);

struct LoadedPair {
  LabelImage prediction, reference;
};
/// Reads both, checks grids and labels. Throws DataError.
LoadedPair load_pair(const MaskPair& pair);

/// Calls work(i) for every pair from up to `threads` threads and collects what each throws as
/// problems, by case.
void for_each_pair(MaskPairing& pairing, int threads, const std::function<void(std::size_t)>& work);

/// Throws DataError that lists all problems; nothing when there is none.
void refuse_problems(const MaskPairing& pairing, const std::string& command);

}  // namespace hepar::detail
