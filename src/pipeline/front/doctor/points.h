#pragma once
#include <hepar/pipeline/doctor.h>

#include <string>
#include <vector>

// One function a point of `hepar doctor`; judge() calls them in this order.
namespace hepar::detail {

Finding judge_launcher(const DoctorFacts& facts);
Finding judge_hosts(const DoctorFacts& facts);
Finding judge_processors(const DoctorFacts& facts);
Finding judge_threads(const DoctorFacts& facts);
Finding judge_versions(const DoctorFacts& facts);
Finding judge_gpus(const DoctorFacts& facts);
Finding judge_all_reduce(const DoctorFacts& facts);
Finding judge_clocks(const DoctorFacts& facts);
/// Shared files, creation and renaming, locks, free space; a lone problem when nothing could be
/// tried.
std::vector<Finding> judge_folder(const FolderFacts& facts);

/// "0.4 ms", "12 us", "3.2 s".
std::string short_time(double seconds);
/// "1 KiB", "512 MiB", "2.5 TiB".
std::string binary_size(double bytes);
/// "a, b, c and 5 more".
std::string first_names(const std::vector<std::string>& names);

}  // namespace hepar::detail
