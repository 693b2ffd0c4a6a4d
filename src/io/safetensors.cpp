#include "hepar/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "json_fields.h"

namespace hepar {

namespace {

constexpr std::size_t kLengthBytes = 8;
/// The format's own limit on headers.
constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kAlignment = 8;
constexpr const char* kMetadataKey = "__metadata__";

/// Bytes of one element, 0 when the dtype is unknown.
std::int64_t element_bytes(const std::string& dtype) {
  static const std::map<std::string, std::int64_t> kSizes{
      {"F64", 8},  {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4}, {"U32", 4}, {"F16", 2},
      {"BF16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  const auto found = kSizes.find(dtype);
  return found == kSizes.end() ? 0 : found->second;
}

/// Bytes of a tensor, or −1 when that is more than a file can have.
std::int64_t tensor_bytes(const RawTensor& tensor) {
  std::int64_t bytes = element_bytes(tensor.dtype);
  if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end()) {
    return 0;
  }
  for (const std::int64_t size : tensor.shape) {
    if (size < 0 || bytes > INT64_MAX / size) {
      return -1;
    }
    bytes *= size;
  }
  return bytes;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

std::string make_header(const std::vector<RawTensor>& tensors,
                        const std::map<std::string, std::string>& metadata,
                        const std::string& where) {
  Json header = Json::object();
  if (!metadata.empty()) {
    for (const auto& [key, value] : metadata) {
      header[kMetadataKey][key] = value;
    }
  }
  std::int64_t begin = 0;
  for (const RawTensor& tensor : tensors) {
    const std::string place = where + ": tensor '" + tensor.name + "'";
    require<ShapeError>(tensor.name != kMetadataKey && !header.contains(tensor.name),
                        place + ": the name is taken");
    require<ShapeError>(element_bytes(tensor.dtype) > 0,
                        place + ": unknown dtype '" + tensor.dtype + "'");
    const auto bytes = static_cast<std::int64_t>(tensor.data.size());
    require<ShapeError>(tensor_bytes(tensor) == bytes,
                        place + ": its shape wants " + std::to_string(tensor_bytes(tensor)) +
                            " bytes, found " + std::to_string(bytes));
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, begin + bytes}}};
    begin += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

/// One entry of the header, with its data still as offsets.
struct Entry {
  RawTensor tensor;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

Entry read_entry(const std::string& name, const nlohmann::json& json, const std::string& where) {
  const std::string place = where + ": tensor '" + name + "'";
  require<DataError>(json.is_object() && json.size() == 3,
                     place + ": wanted an object with dtype, shape and data_offsets");
  const Json ordered(json);
  const JsonFields fields(ordered, place);
  Entry entry;
  entry.tensor.name = name;
  entry.tensor.dtype = fields.text("dtype");
  if (element_bytes(entry.tensor.dtype) == 0) {
    fields.fail("dtype", "one of F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL");
  }
  entry.tensor.shape = fields.integers("shape", fields.array("shape").size(), {0, INT64_MAX});
  const std::vector<std::int64_t> offsets = fields.integers("data_offsets", 2, {0, INT64_MAX});
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin > entry.end || tensor_bytes(entry.tensor) != entry.end - entry.begin) {
    fields.fail("data_offsets", "a range of " + std::to_string(tensor_bytes(entry.tensor)) +
                                    " bytes, as dtype and shape ask for");
  }
  return entry;
}

std::map<std::string, std::string> read_metadata(const nlohmann::json& json,
                                                 const std::string& where) {
  const std::string place = where + ": " + kMetadataKey;
  require<DataError>(json.is_object(), place + ": wanted a JSON object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    require<DataError>(value.is_string(), place + ": key '" + key + "': wanted a text");
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// Tensors must fill the data part without gap or overlap: what the format asks, and it leaves no
/// room to hide anything.
void attach_data(std::vector<Entry>& entries, std::span<const std::byte> data,
                 const std::string& where) {
  std::sort(entries.begin(), entries.end(), [](const Entry& p, const Entry& q) {
    return std::pair(p.begin, p.end) < std::pair(q.begin, q.end);
  });
  std::int64_t next = 0;
  const auto size = static_cast<std::int64_t>(data.size());
  for (Entry& entry : entries) {
    const std::string place = where + ": tensor '" + entry.tensor.name + "'";
    require<DataError>(entry.end <= size, place + ": reaches to byte " + std::to_string(entry.end) +
                                              " of " + std::to_string(size));
    require<DataError>(
        entry.begin == next,
        place + (entry.begin < next ? ": overlaps the one before it" : ": follows a gap") +
            " (starts at byte " + std::to_string(entry.begin) + ", wanted " + std::to_string(next) +
            ")");
    entry.tensor.data = data.subspan(static_cast<std::size_t>(entry.begin),
                                     static_cast<std::size_t>(entry.end - next));
    next = entry.end;
  }
  require<DataError>(next == size,
                     where + ": " + std::to_string(size - next) + " bytes after the last tensor");
}

/// Parses the header; names given twice are refused (a JSON parser would keep one of them
/// silently). Not our ordered Json: its objects are searched linearly, which a hostile header with
/// a million names would exploit.
nlohmann::json parse_header(std::span<const std::byte> header, const std::string& where) {
  const char* text = reinterpret_cast<const char*>(header.data());
  std::set<std::string> names;
  const auto callback = [&](int depth, nlohmann::json::parse_event_t event,
                            nlohmann::json& parsed) {
    constexpr int kMaxDepth = 8;
    require<DataError>(depth <= kMaxDepth, where + ": its header is nested too deeply");
    if (event == nlohmann::json::parse_event_t::key && depth == 1) {
      require<DataError>(names.insert(parsed.get<std::string>()).second,
                         where + ": tensor '" + parsed.get<std::string>() + "' is there twice");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, text + header.size(), callback);
  } catch (const nlohmann::json::exception& e) {
    throw DataError(where + ": its header is not valid JSON: " + e.what());
  }
}

}  // namespace

std::uint64_t write_safetensors(const std::filesystem::path& path,
                                const std::vector<RawTensor>& tensors,
                                const std::map<std::string, std::string>& metadata) {
  const std::string header = make_header(tensors, metadata, path.string());
  std::size_t total = kLengthBytes + header.size();
  for (const RawTensor& tensor : tensors) {
    total += tensor.data.size();
  }
  std::vector<std::byte> bytes;
  bytes.reserve(total);
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    bytes.push_back(static_cast<std::byte>(header.size() >> (8 * i)));
  }
  const std::span<const std::byte> header_bytes = std::as_bytes(std::span(header));
  bytes.insert(bytes.end(), header_bytes.begin(), header_bytes.end());
  for (const RawTensor& tensor : tensors) {
    bytes.insert(bytes.end(), tensor.data.begin(), tensor.data.end());
  }
  write_atomically(path, std::span<const std::byte>(bytes));
  return xxh64(bytes);
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  const std::string where = path.string();
  SafetensorsFile file;
  file.bytes = read_bytes(path);
  require<DataError>(file.bytes.size() >= kLengthBytes,
                     where + ": " + std::to_string(file.bytes.size()) +
                         " bytes, too short for a safetensors header");
  const std::uint64_t length = little_endian(file.bytes);
  require<DataError>(length <= kMaxHeader && length <= file.bytes.size() - kLengthBytes,
                     where + ": its header wants " + std::to_string(length) +
                         " bytes of a file of " + std::to_string(file.bytes.size()));
  const std::span<const std::byte> all(file.bytes);
  const nlohmann::json header = parse_header(all.subspan(kLengthBytes, length), where);
  require<DataError>(header.is_object(), where + ": its header is not a JSON object");
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadataKey) {
      file.metadata = read_metadata(json, where);
    } else {
      entries.push_back(read_entry(name, json, where));
    }
  }
  attach_data(entries, all.subspan(kLengthBytes + length), where);
  for (Entry& entry : entries) {
    file.tensors.push_back(std::move(entry.tensor));
  }
  return file;
}

}  // namespace hepar
