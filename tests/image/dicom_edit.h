#pragma once
#include <gdcmImageChangeTransferSyntax.h>
#include <gdcmImageReader.h>
#include <gdcmImageWriter.h>
#include <gdcmReader.h>
#include <gdcmSequenceOfItems.h>
#include <gdcmWriter.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "hepar/image/image.h"

// DICOM files changed and made with GDCM alone, so that reading is not tested against our own
// writing only.
namespace hepar::test {

struct DicomText {
  std::uint16_t group = 0, element = 0;
  std::string text;
};

inline void put_text(gdcm::DataSet& data, gdcm::Tag tag, std::string text,
                     gdcm::VR kind = gdcm::VR::DS) {
  text.resize(text.size() + text.size() % 2, kind == gdcm::VR::UI ? '\0' : ' ');
  gdcm::DataElement element(tag);
  element.SetVR(kind);
  element.SetByteValue(text.data(), gdcm::VL(static_cast<std::uint32_t>(text.size())));
  data.Replace(element);
}

/// Replaces text elements of a file.
inline void edit_dicom(const std::filesystem::path& path, const std::vector<DicomText>& edits) {
  gdcm::Reader reader;
  reader.SetFileName(path.c_str());
  ASSERT_TRUE(reader.Read());
  for (const DicomText& edit : edits) {
    put_text(reader.GetFile().GetDataSet(), {edit.group, edit.element}, edit.text);
  }
  gdcm::Writer writer;
  writer.SetFile(reader.GetFile());
  writer.SetFileName(path.c_str());
  ASSERT_TRUE(writer.Write());
}

/// Writes a file again in another transfer syntax.
inline void transcode_dicom(const std::filesystem::path& path, const std::string& syntax) {
  gdcm::ImageReader reader;
  reader.SetFileName(path.c_str());
  ASSERT_TRUE(reader.Read());
  gdcm::ImageChangeTransferSyntax change;
  change.SetTransferSyntax(gdcm::TransferSyntax::GetTSType(syntax.c_str()));
  change.SetInput(reader.GetImage());
  ASSERT_TRUE(change.Change()) << syntax;
  gdcm::ImageWriter writer;
  writer.SetFile(reader.GetFile());
  writer.SetImage(change.GetOutput());
  writer.SetFileName(path.c_str());
  ASSERT_TRUE(writer.Write());
}

inline std::string decimals(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.10g", value);
    text.append(text.empty() ? "" : "\\").append(digits);
  }
  return text;
}

inline void put_sequence(gdcm::DataSet& data, gdcm::Tag tag,
                         const std::vector<gdcm::DataSet>& items) {
  gdcm::SmartPointer<gdcm::SequenceOfItems> sequence = new gdcm::SequenceOfItems;
  sequence->SetLengthToUndefined();
  for (const gdcm::DataSet& nested : items) {
    gdcm::Item item;
    item.SetVLToUndefined();
    item.SetNestedDataSet(nested);
    sequence->AddItem(item);
  }
  gdcm::DataElement element(tag);
  element.SetVR(gdcm::VR::SQ);
  element.SetValue(*sequence);
  element.SetVLToUndefined();
  data.Replace(element);
}

inline void put_group(gdcm::DataSet& data, gdcm::Tag group, gdcm::Tag tag,
                      const std::vector<double>& values) {
  gdcm::DataSet nested;
  put_text(nested, tag, decimals(values));
  put_sequence(data, group, {nested});
}

inline void put_number(gdcm::DataSet& data, gdcm::Tag tag, std::uint16_t value) {
  gdcm::DataElement element(tag);
  element.SetVR(gdcm::VR::US);
  element.SetByteValue(reinterpret_cast<const char*>(&value), gdcm::VL(sizeof value));
  data.Replace(element);
}

/// An Enhanced MR file whose frames are the slices of an int16 volume in the order given.
inline void write_enhanced_dicom(const std::filesystem::path& path, const StoredImage& image,
                                 const std::vector<std::int64_t>& slices) {
  gdcm::Writer writer;
  gdcm::DataSet& data = writer.GetFile().GetDataSet();
  const Grid& grid = image.grid;
  put_text(data, {0x0008, 0x0016}, "1.2.840.10008.5.1.4.1.1.4.1", gdcm::VR::UI);
  put_text(data, {0x0008, 0x0018}, "1.2.3.4", gdcm::VR::UI);
  put_text(data, {0x0020, 0x000e}, "1.2.3", gdcm::VR::UI);
  put_text(data, {0x0028, 0x0004}, "MONOCHROME2", gdcm::VR::CS);
  put_text(data, {0x0028, 0x0008}, std::to_string(slices.size()), gdcm::VR::IS);
  put_number(data, {0x0028, 0x0002}, 1);
  put_number(data, {0x0028, 0x0010}, static_cast<std::uint16_t>(grid.size.y));
  put_number(data, {0x0028, 0x0011}, static_cast<std::uint16_t>(grid.size.x));
  put_number(data, {0x0028, 0x0100}, 16);
  put_number(data, {0x0028, 0x0101}, 16);
  put_number(data, {0x0028, 0x0102}, 15);
  put_number(data, {0x0028, 0x0103}, 1);
  const WorldMm& x = grid.axis[2];
  const WorldMm& y = grid.axis[1];
  gdcm::DataSet shared;
  put_group(shared, {0x0028, 0x9110}, {0x0028, 0x0030}, {grid.spacing.y, grid.spacing.x});
  put_group(shared, {0x0020, 0x9116}, {0x0020, 0x0037}, {-x.r, -x.a, x.s, -y.r, -y.a, y.s});
  put_sequence(data, {0x5200, 0x9229}, {shared});
  std::vector<gdcm::DataSet> frames;
  std::vector<char> pixels;
  const auto bytes = static_cast<std::size_t>(grid.size.y * grid.size.x) * 2;
  for (const std::int64_t slice : slices) {
    const WorldMm at = to_world(grid, static_cast<double>(slice), 0, 0);
    gdcm::DataSet frame;
    put_group(frame, {0x0020, 0x9113}, {0x0020, 0x0032}, {-at.r, -at.a, at.s});
    frames.push_back(frame);
    const auto* first = reinterpret_cast<const char*>(image.voxels.data()) +
                        static_cast<std::size_t>(slice) * bytes;
    pixels.insert(pixels.end(), first, first + bytes);
  }
  put_sequence(data, {0x5200, 0x9230}, frames);
  gdcm::DataElement element(gdcm::Tag(0x7fe0, 0x0010));
  element.SetVR(gdcm::VR::OW);
  element.SetByteValue(pixels.data(), gdcm::VL(static_cast<std::uint32_t>(pixels.size())));
  data.Replace(element);
  writer.GetFile().GetHeader().SetDataSetTransferSyntax(
      gdcm::TransferSyntax::ExplicitVRLittleEndian);
  writer.SetFileName(path.c_str());
  ASSERT_TRUE(writer.Write());
}

}  // namespace hepar::test
