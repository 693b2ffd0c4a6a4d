#pragma once
#include <hepar/core/geometry.h>

#include <vector>

#include "dicom_header.h"

namespace hepar::dicom {

/// The planes of a series as one volume: `planes[z]` is slice z.
struct Stack {
  Grid grid;
  std::vector<Plane> planes;
  std::vector<std::string> notes;
};

/// Orders the planes of all files along their normal and checks that they are one regular volume.
/// `where` is the series' folder or file. Throws DataError naming the planes that disagree.
Stack stack_planes(const std::vector<FileHeader>& files, const std::string& where);

}  // namespace hepar::dicom
