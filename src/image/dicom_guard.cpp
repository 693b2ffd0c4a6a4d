#include "dicom_guard.h"

#include <gdcmSequenceOfFragments.h>

#include <array>
#include <cstring>

#include "hepar/core/error.h"

namespace hepar::dicom {
void require_same_sign(const gdcm::DataElement& pixels, bool header_signed,
                       const std::string& where) {
  constexpr std::size_t kDepthAt = 42;  // Ssiz: after SOC, SIZ, its length, 9 fields and the count
  const gdcm::SequenceOfFragments* fragments = pixels.GetSequenceOfFragments();
  if (fragments == nullptr || fragments->GetNumberOfFragments() == 0) {
    return;
  }
  const gdcm::ByteValue* bytes = fragments->GetFragment(0).GetByteValue();
  if (bytes == nullptr || bytes->GetLength() <= kDepthAt) {
    return;
  }
  std::array<unsigned char, kDepthAt + 1> start{};
  std::memcpy(start.data(), bytes->GetPointer(), start.size());
  const bool is_codestream =
      start[0] == 0xFF && start[1] == 0x4F && start[2] == 0xFF && start[3] == 0x51;
  const bool stream_signed = (start[kDepthAt] & 0x80U) != 0;
  require<DataError>(!is_codestream || stream_signed == header_signed,
                     where + ": its header says " + (header_signed ? "signed" : "unsigned") +
                         " pixels, its JPEG 2000 stream says the opposite");
}

}  // namespace hepar::dicom
