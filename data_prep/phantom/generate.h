#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "phantom/patient.h"

namespace hepar::phantom {

struct GenerateRequest {
  CohortRequest cohort;
  std::string layout;
  std::filesystem::path out;
  std::vector<int> sequences;  ///< which to write; missing ones stay missing
  int threads = 1;
};

/// Writes a whole cohort under `out` (by way of "out.partial"), byte for byte the same for a seed
/// whatever the number of threads. Throws DataError when `out` exists and is not empty.
void generate(const GenerateRequest& request, const PhantomParameters& parameters);

/// Domain × split with counts of patients, masks, stages and sequences that will be missing.
std::string describe(const std::vector<Patient>& cohort);

}  // namespace hepar::phantom
