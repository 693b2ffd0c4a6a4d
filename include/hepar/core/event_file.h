#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace hepar {

/// A TensorBoard event file: records of {length, masked CRC-32C, protocol buffer, masked CRC-32C}
/// (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto). Scalars only.
class EventFile {
 public:
  /// Creates FOLDER/events.out.tfevents.<seconds>.<host>.<process>, which says that the run starts
  /// at `first_step`: TensorBoard then drops what an earlier file of the folder has from there on.
  /// Throws DataError.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  EventFile(EventFile&&) = delete;
  EventFile& operator=(EventFile&&) = delete;

  /// One value of a curve; on disk when the call returns.
  void scalar(const std::string& tag, std::int64_t step, double value);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
