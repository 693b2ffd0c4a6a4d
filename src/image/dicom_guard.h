#pragma once
#include <gdcmDataElement.h>

#include <string>

namespace hepar::dicom {

/// The JPEG 2000 stream of `pixels` must be signed exactly if the header says so: GDCM decodes by
/// the header, and would return other values. Other encodings pass. Throws DataError.
void require_same_sign(const gdcm::DataElement& pixels, bool header_signed,
                       const std::string& where);

}  // namespace hepar::dicom
