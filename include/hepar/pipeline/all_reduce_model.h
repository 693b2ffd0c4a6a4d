#pragma once
#include <hepar/pipeline/doctor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// What a message costs between two ranks: latency and rate.
struct Link {
  double latency_s = 0;
  double bytes_per_s = 1;
  std::string source = {};  ///< the file it was fitted to; empty: assumed
  [[nodiscard]] bool assumed() const { return source.empty(); }
};

/// Seconds to add `bytes` up over n ranks and give all of them the sum, by reduce-scatter and
/// all-gather in a ring (Patarasuk and Yuan, 2009): 2(n-1) latencies and 2(n-1)/n of the bytes.
double ring_s(const Link& link, int ranks, double bytes);

/// The same pairwise and back (dist.reduction: tree): ⌈log2 n⌉ rounds of the whole message each
/// way.
double tree_s(const Link& link, int ranks, double bytes);

/// The link whose ring takes the times measured, by least squares of relative errors; neither value
/// is negative. Throws DataError naming `source` when fewer than two sizes or ranks were measured,
/// or when larger messages did not take longer.
Link fit_link(const std::vector<AllReduceTime>& times, int ranks, const std::string& source);

/// One reduction of gradients.
struct Reduction {
  double bytes = 0;
  int ranks = 1;
  int hosts = 1;
  std::string kind = "tree";  ///< or "fast": dist.reduction
};

/// Links of ranks that share a host and of ranks that do not. A reduction over several hosts goes
/// at the pace of the links between them.
struct NetworkModel {
  Link within, between;
  [[nodiscard]] double seconds(const Reduction& reduction) const;
};

/// Assumed links: of processes, or of GPUs.
NetworkModel assumed_network(bool gpus);

/// `assumed` with links from files of `hepar doctor --json`: one of a single host says what holds
/// within a host, one of several hosts what holds between them. Throws DataError.
NetworkModel read_network(const std::vector<std::string>& files, NetworkModel assumed);

}  // namespace hepar
