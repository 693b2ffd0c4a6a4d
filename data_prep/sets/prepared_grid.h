#pragma once
#include "hepar/io/prepared_set.h"

namespace hepar {

/// Where a prepared sample's voxels lie in the patient, in the plan's axis order: the canonical
/// grid, transposed, cropped and resampled with half-pixel-centred coordinates.
Grid prepared_grid(const PreparedCase& record);

}  // namespace hepar
