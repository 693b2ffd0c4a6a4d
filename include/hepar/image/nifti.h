#pragma once
#include <hepar/image/image.h>
#include <filesystem>

namespace hepar {

/// Reads a NIfTI-1 or -2 file (.nii, .nii.gz, .hdr/.img[.gz]; either name of a pair). The raw
/// header is checked before niftilib sees it: magic, dimensions, pixdim > 0, qform against sform (a
/// conflict above 0.01 mm at a corner is refused unless it is only the rounding of a float32
/// quaternion, else sform is used), sform against pixdim (1e-3), orthonormal directions (shear
/// refused), slope, payload length, gzip trailer. More than one volume is refused; a trailing
/// dimension of 1 is read and noted; NaN and infinity are refused for floating types. RGB, complex
/// and 128-bit types are refused by name. Metres and micrometres become mm, noted. With neither
/// qform nor sform the standard's method 1 holds (voxel sizes only), noted. scl_slope 0 or nan
/// means not scaled. Throws DataError "FILE: wanted …, found …".
StoredImage read_nifti(const std::filesystem::path& path);

/// Grid and type only: reads and checks the header, not the voxels.
StoredImage read_nifti_header(const std::filesystem::path& path);

/// Writes .nii or .nii.gz atomically, qform and sform both set (code 1), units mm; equal images
/// give equal bytes. NIfTI-1, whose header holds float32 (slope and intercept too); NIfTI-2 when a
/// side has more than 32767 voxels. Throws DataError.
void write_nifti(const std::filesystem::path& path, const StoredImage& image);

/// "case_01" of "dir/case_01.nii.gz"; empty when it is no NIfTI name.
std::string nifti_stem(const std::filesystem::path& path);

}  // namespace hepar
