#pragma once
#include <gdcmDataElement.h>

#include <filesystem>

namespace hepar::dicom {

/// Looks at the file's first bytes before GDCM does: preamble, and a meta information group that is
/// whole and is not a DICOMDIR's. GDCM guesses where these are missing, and some of its guesses end
/// in its own assertions, which would end the program. Throws DataError.
void require_dicom_file(const std::filesystem::path& path);

/// An uncompressed pixel element of `length` bytes must be wholly in the file: GDCM fills up what
/// is missing. Throws DataError.
void require_whole_pixels(const std::filesystem::path& path, std::size_t length);

/// The JPEG 2000 stream of `pixels` must be signed exactly if the header says so: GDCM decodes by
/// the header, and would return other values. Other encodings pass. Throws DataError.
void require_same_sign(const gdcm::DataElement& pixels, bool header_signed,
                       const std::string& where);

}  // namespace hepar::dicom
