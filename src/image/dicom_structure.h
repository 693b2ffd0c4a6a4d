#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace hepar::dicom {

/// What a walk over a file's elements finds.
struct Structure {
  std::string syntax;           ///< transfer syntax UID
  std::size_t pixel_bytes = 0;  ///< declared length of the pixel element; 0: none or compressed
};

/// Walks over all elements of a file, nested ones too, before GDCM sees it: GDCM answers many cut
/// or damaged files with its own assertions, which would end the program and all its ranks. Throws
/// DataError: no DICOM file, a DICOMDIR, no pixels, no transfer syntax, an element that does not
/// fit into the file or is none. What comes after the pixels is not looked at, nor the content of
/// deflated files.
Structure check_structure(const std::filesystem::path& path);

}  // namespace hepar::dicom
