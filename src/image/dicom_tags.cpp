#include "dicom_tags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::dicom {
namespace {

std::string trimmed(std::string text) {
  const auto is_padding = [](char c) { return c == ' ' || c == '\0' || c == '\t'; };
  while (!text.empty() && is_padding(text.back())) {
    text.pop_back();
  }
  std::size_t first = 0;
  while (first < text.size() && is_padding(text[first])) {
    ++first;
  }
  return text.substr(first);
}

const gdcm::ByteValue* bytes_of(const gdcm::DataSet& data, gdcm::Tag tag) {
  return data.FindDataElement(tag) ? data.GetDataElement(tag).GetByteValue() : nullptr;
}

std::optional<double> parse_number(const std::string& text) {
  const std::string digits = text.starts_with("+") ? text.substr(1) : text;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

std::string name_of(gdcm::Tag tag) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "(%04X,%04X)", static_cast<unsigned>(tag.GetGroup()),
                static_cast<unsigned>(tag.GetElement()));
  return text.data();
}

std::optional<std::string> text_of(const gdcm::DataSet& data, gdcm::Tag tag) {
  const gdcm::ByteValue* bytes = bytes_of(data, tag);
  if (bytes == nullptr || bytes->GetLength() == 0) {
    return std::nullopt;
  }
  std::string text = trimmed(std::string(bytes->GetPointer(), bytes->GetLength()));
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

std::optional<std::vector<double>> numbers_of(const gdcm::DataSet& data, gdcm::Tag tag,
                                              std::size_t n, const std::string& where) {
  const auto text = text_of(data, tag);
  if (!text) {
    return std::nullopt;
  }
  std::vector<double> values;
  for (const std::string& part : split(*text, '\\')) {
    if (const auto value = parse_number(trimmed(part))) {
      values.push_back(*value);
    }
  }
  const auto separators = static_cast<std::size_t>(std::count(text->begin(), text->end(), '\\'));
  require<DataError>(values.size() == n && separators + 1 == n,
                     where + ": " + name_of(tag) + ": wanted " + std::to_string(n) +
                         (n == 1 ? " number" : " numbers") + ", found '" + *text + "'");
  return values;
}

std::optional<std::int64_t> short_of(const gdcm::DataSet& data, gdcm::Tag tag) {
  const gdcm::ByteValue* bytes = bytes_of(data, tag);
  std::uint16_t value = 0;
  if (bytes == nullptr || bytes->GetLength() < sizeof value) {
    return std::nullopt;
  }
  std::memcpy(&value, bytes->GetPointer(), sizeof value);
  return value;
}

gdcm::SmartPointer<gdcm::SequenceOfItems> sequence_of(const gdcm::DataSet& data, gdcm::Tag tag) {
  return data.FindDataElement(tag) ? data.GetDataElement(tag).GetValueAsSQ() : nullptr;
}

}  // namespace hepar::dicom
