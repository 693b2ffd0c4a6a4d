#include "hepar/pipeline/all_reduce_model.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

const Link kProcessesOfAHost{.latency_s = 20e-6, .bytes_per_s = 2e9};
const Link kProcessesOfHosts{.latency_s = 50e-6, .bytes_per_s = 1e9};  // 10 Gbit/s Ethernet
const Link kGpusOfAHost{.latency_s = 20e-6, .bytes_per_s = 20e9};      // PCIe 4.0
const Link kGpusOfHosts{.latency_s = 30e-6, .bytes_per_s = 10e9};      // 100 Gbit/s

/// What a measured time adds to the normal equations of t = latencies · a + weight · b, each
/// equation divided by its time.
struct NormalEquations {
  double aa = 0, ab = 0, bb = 0, a = 0, b = 0;

  void add(double latencies, double weight, double time) {
    const double p = latencies / time, q = weight / time;
    aa += p * p;
    ab += p * q;
    bb += q * q;
    a += p;
    b += q;
  }
  /// Seconds a byte, with the best latency that is not negative.
  [[nodiscard]] std::pair<double, double> solve() const {
    const double determinant = aa * bb - ab * ab;
    const double latency = (a * bb - b * ab) / determinant;
    return latency < 0 ? std::pair(0.0, b / bb)
                       : std::pair(latency, (b * aa - a * ab) / determinant);
  }
};

std::vector<AllReduceTime> times_of(const Json& document, const std::string& file) {
  std::vector<AllReduceTime> times;
  for (const Json& time : json_get<Json>(document, "all_reduce", file)) {
    times.push_back({.bytes = json_get<std::int64_t>(time, "bytes", file),
                     .median_s = json_get<double>(time, "median_s", file)});
  }
  return times;
}

std::set<std::string> hosts_of(const Json& document, const std::string& file) {
  std::set<std::string> hosts;
  for (const Json& rank : json_get<Json>(document, "ranks", file)) {
    hosts.insert(json_get<std::string>(rank, "host", file));
  }
  return hosts;
}

}  // namespace

double ring_s(const Link& link, int ranks, double bytes) {
  return 2.0 * (ranks - 1) * (link.latency_s + bytes / ranks / link.bytes_per_s);
}

double tree_s(const Link& link, int ranks, double bytes) {
  return 2 * std::ceil(std::log2(ranks)) * (link.latency_s + bytes / link.bytes_per_s);
}

Link fit_link(const std::vector<AllReduceTime>& times, int ranks, const std::string& source) {
  require<DataError>(ranks > 1 && times.size() > 1,
                     source +
                         ": wanted all-reduce times of two message sizes or more on two ranks "
                         "or more; make it with `mpirun -n 2 hepar doctor --json`");
  NormalEquations equations;
  for (const AllReduceTime& time : times) {
    require<DataError>(time.median_s > 0 && time.bytes > 0,
                       source + ": all_reduce: wanted sizes and times above 0");
    equations.add(2.0 * (ranks - 1), 2.0 * (ranks - 1) / ranks * static_cast<double>(time.bytes),
                  time.median_s);
  }
  const auto [latency_s, byte_s] = equations.solve();
  require<DataError>(byte_s > 0 && std::isfinite(byte_s),
                     source +
                         ": all_reduce: larger messages did not take longer; measure again on "
                         "a quiet machine");
  return {.latency_s = latency_s, .bytes_per_s = 1 / byte_s, .source = source};
}

double NetworkModel::seconds(const Reduction& reduction) const {
  if (reduction.ranks < 2) {
    return 0;
  }
  const Link& link = reduction.hosts > 1 ? between : within;
  return reduction.kind == "fast" ? ring_s(link, reduction.ranks, reduction.bytes)
                                  : tree_s(link, reduction.ranks, reduction.bytes);
}

NetworkModel assumed_network(bool gpus) {
  return gpus ? NetworkModel{kGpusOfAHost, kGpusOfHosts}
              : NetworkModel{kProcessesOfAHost, kProcessesOfHosts};
}

NetworkModel read_network(const std::vector<std::string>& files, NetworkModel assumed) {
  NetworkModel network = std::move(assumed);
  for (const std::string& file : files) {
    const Json document = read_json(file);
    const auto ranks = static_cast<int>(json_get<Json>(document, "ranks", file).size());
    const std::size_t hosts = hosts_of(document, file).size();
    (hosts > 1 ? network.between : network.within) =
        fit_link(times_of(document, file), ranks, file);
  }
  return network;
}

}  // namespace hepar
