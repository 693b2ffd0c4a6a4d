#include "mask_pairs.h"

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/parallel.h>
#include <hepar/core/text.h>
#include <hepar/image/nifti.h>

#include <algorithm>
#include <map>

namespace hepar::detail {
namespace {

using Files = std::map<std::string, fs::path>;

// The NIfTI files of a folder by case id.
Files files_of(const std::string& folder, std::vector<std::string>& problems) {
  require<DataError>(fs::is_directory(folder), folder + ": wanted a folder of NIfTI masks, found " +
                                                   (fs::exists(folder) ? "a file" : "nothing"));
  Files files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string id = nifti_stem(entry.path());
    // The .img beside a .hdr belongs to it and is no case of its own.
    const std::string name = entry.path().filename().string();
    const bool payload = name.ends_with(".img") || name.ends_with(".img.gz");
    if (id.empty() || payload || !entry.is_regular_file()) {
      continue;
    }
    const auto [known, added] = files.emplace(id, entry.path());
    if (!added) {
      const std::string other = known->second.filename().string();
      problems.push_back(folder + ": case " + id + ": wanted one file, found " +
                         std::min(name, other) + " and " + std::max(name, other));
    }
  }
  require<DataError>(!files.empty(),
                     folder + ": wanted NIfTI masks (.nii, .nii.gz, .hdr), found none");
  return files;
}

std::string text(const Grid& grid) {
  const auto number = [](double value) {
    std::string digits = std::to_string(value);
    return digits.substr(0, digits.find('.') + 4);
  };
  return std::to_string(grid.size.z) + "x" + std::to_string(grid.size.y) + "x" +
         std::to_string(grid.size.x) + " voxels of " + number(grid.spacing.z) + "x" +
         number(grid.spacing.y) + "x" + number(grid.spacing.x) + " mm from (" +
         number(grid.origin.r) + ", " + number(grid.origin.a) + ", " + number(grid.origin.s) + ")";
}

void check_labels(const LabelImage& image, const fs::path& path) {
  const auto lowest = std::min_element(image.voxels.begin(), image.voxels.end());
  require<DataError>(lowest == image.voxels.end() || *lowest >= 0,
                     path.string() + ": wanted labels of 0 and above, found " +
                         std::to_string(lowest == image.voxels.end() ? 0 : *lowest));
}

}  // namespace

MaskPairing pair_masks(const std::string& predictions, const std::string& references) {
  MaskPairing result;
  const Files predicted = files_of(predictions, result.problems);
  const Files wanted = files_of(references, result.problems);
  for (const auto& [id, path] : wanted) {
    const auto found = predicted.find(id);
    if (found == predicted.end()) {
      result.problems.push_back("case " + id + ": no prediction in " + predictions + " for " +
                                path.string());
    } else {
      result.pairs.push_back({id, found->second, path});
    }
  }
  for (const auto& [id, path] : predicted) {
    if (!wanted.contains(id)) {
      result.problems.push_back("case " + id + ": no reference in " + references + " for " +
                                path.string());
    }
  }
  return result;
}

void check_grids(const MaskPair& pair, const Grid& prediction, const Grid& reference) {
  require<DataError>(same_grid(reference, prediction),
                     pair.prediction.string() + ": wanted the reference's grid, " +
                         text(reference) + ", found " + text(prediction) +
                         "; write predictions on the grid of the image they were made for");
}

LoadedPair load_pair(const MaskPair& pair) {
  LoadedPair loaded{to_labels(read_nifti(pair.prediction), pair.prediction.string()),
                    to_labels(read_nifti(pair.reference), pair.reference.string())};
  check_grids(pair, loaded.prediction.grid, loaded.reference.grid);
  check_labels(loaded.prediction, pair.prediction);
  check_labels(loaded.reference, pair.reference);
  return loaded;
}

void for_each_pair(MaskPairing& pairing, int threads,
                   const std::function<void(std::size_t)>& work) {
  std::vector<std::string> found(pairing.pairs.size());
  parallel_for(static_cast<std::int64_t>(pairing.pairs.size()), threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      work(index);
    } catch (const DataError& e) {
      found[index] = "case " + pairing.pairs[index].id + ": " + e.what();
    }
  });
  std::copy_if(found.begin(), found.end(), std::back_inserter(pairing.problems),
               [](const std::string& problem) { return !problem.empty(); });
}

void refuse_problems(const MaskPairing& pairing, const std::string& command) {
  std::vector<std::string> problems = pairing.problems;
  if (problems.empty()) {
    return;
  }
  std::sort(problems.begin(), problems.end());
  throw DataError(command + ": " + std::to_string(problems.size()) + " problem(s) in " +
                  std::to_string(pairing.pairs.size()) + " pair(s) of cases, nothing written:\n  " +
                  join(problems, "\n  "));
}

}  // namespace hepar::detail
