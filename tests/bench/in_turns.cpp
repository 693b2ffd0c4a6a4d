#include "in_turns.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hepar/core/error.h"

namespace hepar::bench {
namespace {

/// What is registered, in order: the library itself does not list it.
std::vector<benchmark::internal::Benchmark*>& registered() {
  static std::vector<benchmark::internal::Benchmark*> all;
  return all;
}

/// The times of every benchmark, a turn after the other.
class TurnReporter : public benchmark::ConsoleReporter {
 public:
  explicit TurnReporter(bool speaks)
      : ConsoleReporter(::isatty(STDOUT_FILENO) == 1 ? OO_Defaults : OO_Tabular), speaks_(speaks) {}

  bool ReportContext(const Context& context) override {
    const bool first = std::exchange(first_, false);
    return !first || !speaks_ || ConsoleReporter::ReportContext(context);
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration && !run.error_occurred) {
        const std::string& name = run.run_name.function_name;
        if (times_[name].empty()) {
          order_.push_back(name);
        }
        times_[name].push_back(run.GetAdjustedRealTime());
      }
    }
    if (speaks_) {
      ConsoleReporter::ReportRuns(runs);
    }
  }

  void print_ratios() const {
    if (!speaks_) {
      return;
    }
    std::printf("\n%-44s %10s  %s\n", "how many times faster hepar is", "of medians", "one turn");
    for (const std::string& name : order_) {
      const std::size_t cut = name.rfind('/');
      const auto ours = times_.find(name.substr(0, cut) + "/hepar");
      if (cut != std::string::npos && ours != times_.end() && name != ours->first) {
        print_ratio(name, ours->second, times_.at(name));
      }
    }
  }

 private:
  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  }

  static void print_ratio(const std::string& name, const std::vector<double>& ours,
                          const std::vector<double>& theirs) {
    std::vector<double> ratios;
    for (std::size_t turn = 0; turn < std::min(ours.size(), theirs.size()); ++turn) {
      ratios.push_back(theirs[turn] / ours[turn]);
    }
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    std::printf("%-44s %10.2f  %.2f to %.2f\n", name.c_str(), median(theirs) / median(ours), *least,
                *most);
  }

  bool speaks_;
  bool first_ = true;
  std::vector<std::string> order_;
  std::map<std::string, std::vector<double>> times_;
};

/// Takes --turns=N out of what the library left over; −1 when something else is there.
int turns_of(int argc, char** argv) {
  int turns = 5;
  for (int i = 1; i < argc; ++i) {
    char extra = 0;
    if (std::sscanf(argv[i], "--turns=%d%c", &turns, &extra) != 1 || turns < 1) {
      std::fprintf(stderr,
                   "%s: unknown argument '%s'; wanted --turns=N or Google Benchmark's own\n",
                   argv[0], argv[i]);
      return -1;
    }
  }
  return turns;
}

}  // namespace

void add(const std::string& name, const std::function<void()>& body) {
  registered().push_back(
      benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
        for ([[maybe_unused]] auto _ : state) {
          body();
        }
      }));
  registered().back()->UseRealTime()->Unit(benchmark::kMillisecond);
}

int run_in_turns(int argc, char** argv, const std::function<void()>& set_up) {
  return run_in_turns(argc, argv, set_up, {.iterations = 0, .speaker = true});
}

int run_in_turns(int argc, char** argv, const std::function<void()>& set_up,
                 const Together& together) {
  benchmark::Initialize(&argc, argv);
  const int turns = turns_of(argc, argv);
  if (turns < 0) {
    return 2;
  }
  try {
    set_up();
    for (auto* one : registered()) {
      if (together.iterations > 0) {
        one->Iterations(together.iterations);
      }
    }
    TurnReporter reporter(together.speaker);
    for (int turn = 0; turn < turns; ++turn) {
      benchmark::RunSpecifiedBenchmarks(&reporter);
    }
    reporter.print_ratios();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return 0;
}

void require_equal(const std::string& what, double difference, double most) {
  require<Error>(difference <= most, what + ": the two sides differ by " +
                                         std::to_string(difference) + ", wanted at most " +
                                         std::to_string(most));
}

}  // namespace hepar::bench
