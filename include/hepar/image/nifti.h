#pragma once
#include <hepar/image/image.h>
#include <filesystem>

namespace hepar {

/// Reads a NIfTI-1 or -2 file (.nii, .nii.gz, .hdr/.img[.gz]). The raw header is checked before
/// niftilib sees it: magic, dimensions, pixdim > 0, qform against sform (a conflict > 0.01 mm at a
/// corner is refused, else sform is used), orthonormal directions (shear refused), slope, payload
/// length, gzip trailer. More than one volume is refused; a trailing dimension of 1 is read and
/// noted; NaN and infinity are refused for floating types. RGB, complex and 128-bit types are
/// refused by name. Throws DataError "FILE: wanted …, found …".
StoredImage read_nifti(const std::filesystem::path& path);

/// Grid and type only: reads and checks the header, not the voxels.
StoredImage read_nifti_header(const std::filesystem::path& path);

/// Writes .nii or .nii.gz atomically, qform and sform both set, units mm. Throws DataError.
void write_nifti(const std::filesystem::path& path, const StoredImage& image);

/// "case_01" of "dir/case_01.nii.gz"; empty when it is no NIfTI name.
std::string nifti_stem(const std::filesystem::path& path);

}  // namespace hepar
