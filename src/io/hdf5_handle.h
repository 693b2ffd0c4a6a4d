#pragma once
// Nearly every raw HDF5 call of hepar is made through this header: one lock, one error check, owned
// ids.
#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

#include "hepar/core/error.h"

namespace hepar::hdf5 {

/// HDF5 is not thread-safe as Debian builds it: whoever holds a session may call it, and it prints
/// nothing.
class Session {
 public:
  Session();

 private:
  std::lock_guard<std::mutex> lock_;
};

/// What HDF5 itself says about the last failure, innermost reason first, and empties its error
/// stack.
std::string take_error_text();

/// Returns `result` of the HDF5 function `call`; throws DataError "WHERE: CALL failed: …" when it
/// is negative.
template <class Result>
Result check(Result result, const std::string& where, const char* call) {
  if (result < 0) {
    throw DataError(where + ": " + call + " failed: " + take_error_text());
  }
  return result;
}

/// Owns one HDF5 id. The tag makes a file another type than a dataset although both are hid_t.
template <class Traits>
class Handle {
 public:
  Handle() noexcept = default;
  explicit Handle(hid_t raw) noexcept : raw_(raw) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    Handle held(std::move(other));
    std::swap(raw_, held.raw_);
    return *this;
  }
  ~Handle() { close(); }
  [[nodiscard]] hid_t get() const noexcept { return raw_; }
  /// Releases the id and says whether HDF5 was content.
  bool close() noexcept {
    const hid_t raw = std::exchange(raw_, H5I_INVALID_HID);
    return raw < 0 || Traits::release(raw) >= 0;
  }

 private:
  hid_t raw_ = H5I_INVALID_HID;
};

struct FileTraits {
  static herr_t release(hid_t id) { return H5Fclose(id); }
};
struct GroupTraits {
  static herr_t release(hid_t id) { return H5Gclose(id); }
};
struct DatasetTraits {
  static herr_t release(hid_t id) { return H5Dclose(id); }
};
struct SpaceTraits {
  static herr_t release(hid_t id) { return H5Sclose(id); }
};
struct TypeTraits {
  static herr_t release(hid_t id) { return H5Tclose(id); }
};
struct PropertiesTraits {
  static herr_t release(hid_t id) { return H5Pclose(id); }
};
using File = Handle<FileTraits>;
using Group = Handle<GroupTraits>;
using Dataset = Handle<DatasetTraits>;
using Space = Handle<SpaceTraits>;
using Type = Handle<TypeTraits>;
using Properties = Handle<PropertiesTraits>;

/// Properties of class `kind` (H5P_FILE_ACCESS, …).
Properties make_properties(hid_t kind, const std::string& where);

}  // namespace hepar::hdf5

/// One checked HDF5 call: HEPAR_HDF5(where, H5Dopen2, file, name, H5P_DEFAULT).
#define HEPAR_HDF5(where, function, ...) \
  ::hepar::hdf5::check(function(__VA_ARGS__), where, #function)
