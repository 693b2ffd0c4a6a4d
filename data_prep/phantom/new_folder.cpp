#include "phantom/new_folder.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar::phantom {

fs::path new_partial_folder(const fs::path& out, const Json& record) {
  constexpr const char* kRecord = "phantom.json";
  require<DataError>(
      !fs::exists(out) || fs::is_empty(out),
      out.string() + ": wanted a new folder, found one with content; remove it or choose another");
  fs::path partial = out;
  partial += ".partial";
  if (fs::exists(partial)) {
    require<DataError>(fs::exists(partial / kRecord),
                       partial.string() + ": exists and was not left by this command; remove it");
    fs::remove_all(partial);
  }
  make_writable_directory(partial);
  write_json(partial / kRecord, record);
  return partial;
}

}  // namespace hepar::phantom
