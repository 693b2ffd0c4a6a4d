#pragma once
#include <gdcmDataSet.h>
#include <gdcmSequenceOfItems.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hepar::dicom {

/// An element's text without padding; nothing when it is not there or empty.
std::optional<std::string> text_of(const gdcm::DataSet& data, gdcm::Tag tag);

/// `n` decimal numbers of an element; nothing when it is not there or empty. Throws DataError when
/// it holds anything else.
std::optional<std::vector<double>> numbers_of(const gdcm::DataSet& data, gdcm::Tag tag,
                                              std::size_t n, const std::string& where);

/// An unsigned 16-bit element.
std::optional<std::int64_t> short_of(const gdcm::DataSet& data, gdcm::Tag tag);

/// Items of a sequence; null when it is not there.
gdcm::SmartPointer<gdcm::SequenceOfItems> sequence_of(const gdcm::DataSet& data, gdcm::Tag tag);

/// "(0028,0030) PixelSpacing" is written by the caller; this gives "(0028,0030)".
std::string name_of(gdcm::Tag tag);

}  // namespace hepar::dicom
