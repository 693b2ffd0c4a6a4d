#pragma once
#include <hepar/image/image.h>
#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// Reads one DICOM series: a folder that holds its files and nothing else (sub-folders and hidden
/// files are not looked at), or one file (a single image or an enhanced multi-frame one). Slices
/// are ordered by their position along the normal of the slices, lowest first, never by file name,
/// instance number or slice thickness; the spacing between slices comes from the positions, and an
/// oblique grid is kept. Uncompressed, deflated, RLE, JPEG, JPEG-LS and JPEG 2000 pixels are
/// decoded. Voxels are as stored, with slope and intercept beside (also of classic MR files);
/// slices with different slopes become float32 real values, noted. Refused by name: a file that is
/// no DICOM image, files of two series, slices of different size, type, pixel spacing or
/// orientation, two slices at one position, a missing slice, a tilted stack (gantry tilt), several
/// slices without positions, colour, and pixels that are not whole bytes. A single image without
/// geometry is read on a grid of 1 mm, noted. Throws DataError "FILE: wanted …, found …".
StoredImage read_dicom(const std::filesystem::path& path);

/// Grid, type, slope and notes only: all headers are read and checked, no pixel is decoded.
StoredImage read_dicom_header(const std::filesystem::path& path);

/// What a written series says of itself beside its pixels and geometry.
struct DicomSeries {
  std::string patient;      ///< PatientID and PatientName
  std::string description;  ///< SeriesDescription
  std::string study_uid, series_uid;
  int number = 1;  ///< SeriesNumber
  double echo_time_ms = 0;
  std::vector<std::string> files;  ///< one name a slice, slice 0 (lowest) first
};

/// A UID that depends on `text` alone ("2.25." and its hash).
std::string dicom_uid(const std::string& text);

/// Writes MR images, one uncompressed file a slice, into a new folder (by way of "FOLDER.partial");
/// equal input gives equal bytes. `image` is uint16 or int16 without slope, its axes right-handed
/// (x, y, then z). Throws DataError, ShapeError.
void write_dicom_series(const std::filesystem::path& folder, const StoredImage& image,
                        const DicomSeries& series);

}  // namespace hepar
