#pragma once
#include <string>

#include "hepar/image/image.h"
#include "sources/source.h"

namespace hepar {

/// An image of a listing, by what its path is: a folder is a DICOM series, .nii, .nii.gz, .hdr and
/// .img are NIfTI, any other file is DICOM. Throws DataError.
StoredImage read_image(const fs::path& path);
StoredImage read_image_header(const fs::path& path);

/// A sequence's mask on the grid of its image, its values those of the labels (`mask_values`
/// applied): a NIfTI or DICOM image, or a folder of PNG slices. Throws DataError naming file and
/// value.
LabelImage read_mask(const SequenceListing& listing, const Grid& grid);

/// Throws DataError that says both grids, unless they are the same.
void require_same_grid(const Grid& wanted, const Grid& found, const std::string& where);

/// Changes when a file, or any file of a folder, changes.
std::string stamp_of_image(const fs::path& path);

}  // namespace hepar
