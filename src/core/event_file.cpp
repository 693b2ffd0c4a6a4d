#include "hepar/core/event_file.h"

#include <unistd.h>

#include <array>
#include <boost/crc.hpp>
#include <chrono>
#include <cstring>
#include <fstream>

#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar {
namespace {

using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

/// A checksum of data that holds checksums is weak, so the format rotates and shifts it.
std::uint32_t masked_crc(const std::string& bytes) {
  Crc32c crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t value = crc.checksum();
  return ((value >> 15) | (value << 17)) + 0xa282ead8U;
}

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));  // every machine we build for is little-endian
  return bytes;
}

/// The few pieces of the protocol buffer wire format that an event needs.
enum WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>((value & 0x7f) | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string key(std::uint32_t field, WireType type) { return varint(field << 3 | type); }

std::string bytes_field(std::uint32_t field, const std::string& bytes) {
  return key(field, kBytes) + varint(bytes.size()) + bytes;
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// message Event { double wall_time = 1; int64 step = 2; oneof what … }; a zero is left out.
std::string event(std::int64_t step, const std::string& what) {
  const std::string at =
      step == 0 ? "" : key(2, kVarint) + varint(static_cast<std::uint64_t>(step));
  return key(1, kFixed64) + little_endian(now_s()) + at + what;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace

struct EventFile::Impl {
  fs::path path;
  std::ofstream file;

  void write(const std::string& data) {
    const std::string length = little_endian(static_cast<std::uint64_t>(data.size()));
    file << length << little_endian(masked_crc(length)) << data << little_endian(masked_crc(data));
    file.flush();
    require<DataError>(file.good(), path.string() + ": cannot be written: " + std::strerror(errno));
  }
};

EventFile::EventFile(const fs::path& folder, std::int64_t first_step)
    : impl_(std::make_unique<Impl>()) {
  make_writable_directory(folder);
  impl_->path =
      folder / ("events.out.tfevents." + std::to_string(static_cast<std::int64_t>(now_s())) + "." +
                host_name() + "." + std::to_string(::getpid()));
  impl_->file.open(impl_->path, std::ios::binary);
  impl_->write(event(0, bytes_field(3, "brain.Event:2")));  // Event.file_version
  // Event.session_log = 7 { status = 1: START }
  impl_->write(event(first_step, bytes_field(7, key(1, kVarint) + varint(1))));
}

EventFile::~EventFile() = default;

void EventFile::scalar(const std::string& tag, std::int64_t step, double value) {
  // Event.summary = 5 { repeated Value = 1 { tag = 1, simple_value = 2 } }
  const std::string entry =
      bytes_field(1, tag) + key(2, kFixed32) + little_endian(static_cast<float>(value));
  impl_->write(event(step, bytes_field(5, bytes_field(1, entry))));
}

}  // namespace hepar
