#pragma once
#include <functional>
#include <string>

namespace hepar::bench {

/// A benchmark called "WHAT/hepar" beside "WHAT/plain" or "WHAT/<other>": the same work done by
/// what a user of the libraries below would write. Wall time; the body runs its work once.
void add(const std::string& name, const std::function<void()>& body);

/// The main function of a benchmark program: runs all benchmarks in turn, A B A B …, --turns=N
/// times (5), so that a change of the machine's load meets all, and prints for each pair how many
/// times faster hepar is: ratio of medians, least and most ratio of one turn. `set_up` registers
/// the benchmarks; exceptions end the program with 1.
int run_in_turns(int argc, char** argv, const std::function<void()>& set_up);

/// The same for ranks that call collectives together: every benchmark `iterations` times a turn, so
/// that all ranks make the same calls. Only a `speaker` prints.
struct Together {
  int iterations;
  bool speaker;
};
int run_in_turns(int argc, char** argv, const std::function<void()>& set_up,
                 const Together& together);

/// Throws Error unless `difference` <= `most`: two sides that are compared must do the same work.
void require_equal(const std::string& what, double difference, double most);

}  // namespace hepar::bench
