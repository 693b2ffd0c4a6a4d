#pragma once
#include <filesystem>
#include <string>

#include "hepar/io/prepared_writer.h"

namespace hepar {

/// prepared.json and plan.yaml of a set. Throws DataError naming file and field, also when
/// plan.yaml is not the one the set was prepared with.
PreparedIndex read_prepared_index(const std::filesystem::path& folder);

/// "/cases/<position>/" and what follows.
std::string prepared_dataset(const PreparedCase& record, const std::string& array);

}  // namespace hepar
