// What the ranks say of themselves: launcher, hosts, processors, threads, versions, GPUs.
#include <algorithm>
#include <set>

#include "doctor/points.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

using RanksByHost = std::map<std::string, std::vector<RankFacts>>;

RanksByHost by_host(const DoctorFacts& facts) {
  RanksByHost hosts;
  for (const RankFacts& rank : facts.ranks) {
    hosts[rank.host].push_back(rank);
  }
  return hosts;
}

std::string counted(std::size_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

std::set<int> union_of(const std::vector<RankFacts>& ranks, std::vector<int> RankFacts::*places) {
  std::set<int> all;
  for (const RankFacts& rank : ranks) {
    all.insert((rank.*places).begin(), (rank.*places).end());
  }
  return all;
}

/// More ranks than places: of the whole host, or among those that are bound to the same ones.
bool crowded(const std::vector<RankFacts>& ranks, std::vector<int> RankFacts::*places) {
  std::map<std::set<int>, std::size_t> bound;
  for (const RankFacts& rank : ranks) {
    ++bound[{(rank.*places).begin(), (rank.*places).end()}];
  }
  return ranks.size() > union_of(ranks, places).size() ||
         std::any_of(bound.begin(), bound.end(),
                     [](const auto& group) { return group.second > group.first.size(); });
}

/// Hosts on which ranks share places, as texts.
std::vector<std::string> crowded_hosts(const RanksByHost& hosts,
                                       std::vector<int> RankFacts::*places,
                                       const std::string& noun) {
  std::vector<std::string> texts;
  for (const auto& [host, ranks] : hosts) {
    if (crowded(ranks, places)) {
      texts.push_back(host + " (" + counted(ranks.size(), "rank") + ", " +
                      counted(union_of(ranks, places).size(), noun) + ")");
    }
  }
  return texts;
}

std::string range_text(const std::set<std::int64_t>& numbers) {
  const std::string low = std::to_string(*numbers.begin());
  return numbers.size() == 1 ? low : low + " to " + std::to_string(*numbers.rbegin());
}

std::string who(std::size_t rank, const DoctorFacts& facts) {
  return "rank " + std::to_string(rank) + " on " + facts.ranks[rank].host;
}

}  // namespace

Finding judge_launcher(const DoctorFacts& facts) {
  const auto size = static_cast<int>(facts.ranks.size());
  Finding finding{.point = "launcher", .found = counted(facts.ranks.size(), "rank")};
  if (facts.announced_ranks > 1 && facts.announced_ranks != size) {
    finding.verdict = Verdict::kProblem;
    finding.code = ExitCode::kCommunication;
    finding.found = "it started " + std::to_string(facts.announced_ranks) + ", MPI sees " +
                    std::to_string(size);
    finding.advice =
        "every process would do the whole work alone: start with the mpirun of the MPI that hepar "
        "was built with, or with 'srun --mpi=pmix' (see 'srun --mpi=list')";
  } else {
    finding.found += facts.announced_ranks == size ? ", as announced" : "";
  }
  return finding;
}

Finding judge_hosts(const DoctorFacts& facts) {
  std::vector<std::string> names;
  std::set<std::int64_t> counts;
  for (const auto& [host, ranks] : by_host(facts)) {
    names.push_back(host);
    counts.insert(static_cast<std::int64_t>(ranks.size()));
  }
  Finding finding{.point = "hosts",
                  .found = counted(names.size(), "host") + " with " + range_text(counts) +
                           (counts == std::set<std::int64_t>{1} ? " rank" : " ranks") +
                           (names.size() == 1 ? ": " : " each: ") + first_names(names)};
  if (counts.size() > 1) {
    finding.verdict = Verdict::kNote;
    finding.advice =
        "a step takes as long as on the host with the most ranks: place as many on each";
  }
  return finding;
}

Finding judge_processors(const DoctorFacts& facts) {
  const RanksByHost hosts = by_host(facts);
  std::set<std::int64_t> processors;
  for (const auto& [ignored, ranks] : hosts) {
    processors.insert(static_cast<std::int64_t>(union_of(ranks, &RankFacts::processors).size()));
  }
  Finding finding{.point = "processors", .found = range_text(processors) + " usable a host"};
  const auto sharing = crowded_hosts(hosts, &RankFacts::processors, "usable processor");
  const auto threads_of_a_core = crowded_hosts(hosts, &RankFacts::cores, "core");
  if (!sharing.empty()) {
    finding.verdict = Verdict::kProblem;
    finding.found = "ranks share processors: " + first_names(sharing);
    finding.advice =
        "start fewer ranks a host, ask for more processors (srun -c, --cpus-per-task), or let the "
        "launcher not bind them (mpirun --bind-to none)";
  } else if (!threads_of_a_core.empty()) {
    finding.verdict = Verdict::kNote;
    finding.found += "; ranks share cores: " + first_names(threads_of_a_core);
    finding.advice = "two ranks on one core's hardware threads slow each other down: a rank a core";
  }
  return finding;
}

Finding judge_threads(const DoctorFacts& facts) {
  std::set<std::int64_t> threads;
  for (const RankFacts& rank : facts.ranks) {
    threads.insert(rank.threads);
  }
  Finding finding{.point = "threads", .found = range_text(threads) + " a rank"};
  if (threads.size() > 1) {
    finding.verdict = Verdict::kProblem;
    finding.code = ExitCode::kCommunication;
    finding.advice = "a training wants the same number on every rank: set run.threads=" +
                     std::to_string(*threads.begin()) + ", or give each rank as many processors";
  }
  return finding;
}

Finding judge_versions(const DoctorFacts& facts) {
  std::vector<std::string> texts;
  std::vector<std::string> differences;
  for (const auto& [library, wanted] : facts.ranks.front().versions) {
    texts.push_back(wanted.empty() ? "no " + library : library + " " + wanted);
    for (std::size_t i = 1; i < facts.ranks.size(); ++i) {
      const auto found = facts.ranks[i].versions.find(library);
      const std::string text = found == facts.ranks[i].versions.end() ? "" : found->second;
      if (text != wanted) {
        differences.push_back(library + ": " + who(0, facts) + " has '" + wanted + "', " +
                              who(i, facts) + " '" + text + "'");
      }
    }
  }
  Finding finding{.point = "versions", .found = join(texts, ", ")};
  if (!differences.empty()) {
    finding.verdict = Verdict::kProblem;
    finding.code = ExitCode::kCommunication;
    finding.found = first_names(differences);
    finding.advice =
        "start the same program with the same libraries, on processors of the same kind, "
        "everywhere";
  }
  return finding;
}

namespace {

Finding no_gpu(const DoctorFacts& facts) {
  const auto& versions = facts.ranks.front().versions;
  const auto cuda = versions.find("CUDA");
  const bool built = cuda != versions.end() && !cuda->second.empty();
  return {.point = "GPUs",
          .verdict = Verdict::kNote,
          .found = built ? "none" : "none, and this build could not use one",
          .advice = built
                        ? "hepar computes on the CPU; on a GPU node look at nvidia-smi and at what "
                          "was asked of the scheduler (--gpus-per-node)"
                        : "hepar computes on the CPU; for GPUs configure with HEPAR_CUDA=ON"};
}

/// A rank takes the device of its number on its host.
std::vector<std::string> ranks_without_device(const RanksByHost& hosts) {
  std::vector<std::string> texts;
  for (const auto& [host, ranks] : hosts) {
    for (std::size_t local = 0; local < ranks.size(); ++local) {
      if (local >= ranks[local].devices.size()) {
        texts.push_back(host + " (" + counted(ranks.size(), "rank") + ", " +
                        counted(ranks[local].devices.size(), "device") + ")");
        break;
      }
    }
  }
  return texts;
}

}  // namespace

Finding judge_gpus(const DoctorFacts& facts) {
  std::set<std::string> kinds;
  std::set<std::int64_t> counts;
  for (const RankFacts& rank : facts.ranks) {
    kinds.insert(rank.devices.begin(), rank.devices.end());
    counts.insert(static_cast<std::int64_t>(rank.devices.size()));
  }
  if (kinds.empty()) {
    return no_gpu(facts);
  }
  Finding finding{
      .point = "GPUs",
      .found = range_text(counts) + " a host: " + first_names({kinds.begin(), kinds.end()})};
  const auto without = ranks_without_device(by_host(facts));
  if (!without.empty()) {
    finding.verdict = Verdict::kProblem;
    finding.found = "a rank takes the device of its number on the host, and there are fewer: " +
                    first_names(without);
    finding.advice =
        "start a rank a device and let every rank see all of its host's (--gpus-per-node, not "
        "--gpus-per-task)";
  } else if (kinds.size() > 1) {
    finding.verdict = Verdict::kNote;
    finding.advice = "a step takes as long as on the slowest device";
  }
  return finding;
}

}  // namespace hepar::detail
