#include "operator_times.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

namespace hepar::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<const char*, 4> kConvolutions{"conv", "Conv", "addmm", "Addmm"};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Callbacks take no state. Only the thread that measures is looked at: it runs a CPU's backward
// too.
thread_local bool watching = false;
thread_local int depth = 0;
std::map<std::string, double> seconds_by_name;

struct Call : at::ObserverContext {
  Clock::time_point start = Clock::now();
};

std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction&) {
  if (!watching) {
    return nullptr;
  }
  ++depth;
  return std::make_unique<Call>();
}

void leave(const at::RecordFunction& function, at::ObserverContext* context) {
  if (context != nullptr && --depth == 0) {
    seconds_by_name[function.name()] += since(static_cast<Call*>(context)->start);
  }
}

/// Backward nodes without the engine's words.
std::string short_name(const std::string& name) {
  const std::string engine = "autograd::engine::evaluate_function: ";
  return name.starts_with(engine) ? name.substr(engine.size()) + " (backward)" : name;
}

/// A transposed convolution is one matrix product here, and the network has no other.
bool is_convolution(const std::string& name) {
  return std::any_of(kConvolutions.begin(), kConvolutions.end(),
                     [&](const char* part) { return name.find(part) != std::string::npos; });
}

}  // namespace

void OperatorTimes::measure(const std::function<void()>& work) {
  const at::CallbackHandle handle = at::addGlobalCallback(
      at::RecordFunctionCallback(enter, leave)
          .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  watching = true;
  const Clock::time_point start = Clock::now();
  work();
  seconds_ += since(start);
  watching = false;
  at::removeCallback(handle);
}

void OperatorTimes::print(const std::string& what) const {
  if (seconds_ == 0) {
    return;
  }
  double convolutions = 0;
  double rest = seconds_;
  std::vector<std::pair<double, std::string>> others;
  for (const auto& [name, seconds] : seconds_by_name) {
    rest -= seconds;
    if (is_convolution(name)) {
      convolutions += seconds;
    }
    others.emplace_back(seconds, short_name(name));
  }
  std::sort(others.rbegin(), others.rend());
  others.resize(std::min<std::size_t>(others.size(), 15));
  std::printf("\n%6.2f %%  %s in convolutions\n%6.2f %%  between operators\n",
              100 * convolutions / seconds_, what.c_str(), 100 * rest / seconds_);
  for (const auto& [seconds, name] : others) {
    std::printf("%6.2f %%  %s\n", 100 * seconds / seconds_, name.c_str());
  }
}

}  // namespace hepar::bench
