#pragma once
#include <filesystem>
#include <string>

namespace hepar::detail {

/// What an input from outside the experiment holds: xxh64 over the relative name, the size and the
/// first and last 64 KiB of every file in it. Reading whole cohorts only to name a trial would take
/// longer than many trials; `convert` itself hashes every voxel. Throws DataError.
std::string input_stamp(const std::filesystem::path& path);

}  // namespace hepar::detail
