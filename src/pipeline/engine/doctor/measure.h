#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/doctor.h>

#include <vector>

// The parts of examine(); all collective over `world`.
namespace hepar::detail {

/// What the launcher said; a Slurm step's tasks also where it does not speak PMI, for each of them
/// is then a world of its own.
int launched_ranks();

/// Of every rank, by rank, on every rank.
std::vector<RankFacts> gather_rank_facts(Communicator& world);

/// Medians of a quarter of a second a size, with the signatures that every collective of hepar
/// compares; the slowest rank's times. Ends with the first size that takes 0.1 s. Empty with one
/// rank.
std::vector<AllReduceTime> time_all_reduce(Communicator& world);

/// Of the first rank of each host but rank 0's; complete on rank 0 only.
std::vector<ClockOffset> compare_clocks(Communicator& world, const std::vector<RankFacts>& ranks);

/// In a folder of its own inside `folder`, which is removed again; complete on rank 0 only.
FolderFacts try_folder(const std::string& folder, double wait_s, Communicator& world);

}  // namespace hepar::detail
