#include "hdf5_handle.h"

#include "hepar/core/text.h"

namespace hepar::hdf5 {

namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

herr_t collect(unsigned depth, const H5E_error2_t* error, void* out) {
  // The deepest entry says what happened, the next few where; the rest is HDF5 talking about
  // itself.
  constexpr unsigned kKept = 3;
  if (depth < kKept && error->desc != nullptr) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(error->desc);
  }
  return 0;
}

}  // namespace

Session::Session() : lock_(library_mutex()) {
  // A file that could not be flushed (full disk) stays half open inside HDF5 1.10, whose exit
  // handler then crashes on it. hepar closes everything itself and needs no handler.
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string take_error_text() {
  std::vector<std::string> reasons;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect, &reasons);
  H5Eclear2(H5E_DEFAULT);
  return reasons.empty() ? "HDF5 gives no reason" : join(reasons, " < ");
}

Properties make_properties(hid_t kind, const std::string& where) {
  return Properties(HEPAR_HDF5(where, H5Pcreate, kind));
}

}  // namespace hepar::hdf5
