#pragma once
#include <filesystem>

#include "hepar/core/json.h"

namespace hepar::phantom {

/// Makes "OUT.partial" with phantom.json = `record` in it and returns its path; what an earlier,
/// unfinished call left there is removed. The caller renames it to `out` when everything is
/// written. Throws DataError when `out` has content or OUT.partial was not left by this command.
std::filesystem::path new_partial_folder(const std::filesystem::path& out, const Json& record);

}  // namespace hepar::phantom
