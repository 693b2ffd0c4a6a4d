#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdlib>

#include "doctor/measure.h"
#include "experiment/usage.h"
#include "hepar/comm/environment.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/version.h"
#include "hepar/dist/gpu_report.h"
#include "hepar/train/device.h"

namespace hepar::detail {
namespace {

/// Hardware threads of one core name the same first sibling ("3,7" or "3-4").
int core_of(int processor) {
  try {
    return std::stoi(read_text("/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                               "/topology/thread_siblings_list"));
  } catch (const std::exception&) {  // a kernel that does not say
    return processor;
  }
}

RankFacts own_facts(const Communicator& world) {
  RankFacts facts{
      .host = world.host(), .processors = my_processors(), .threads = choose_threads(0, world)};
  std::transform(facts.processors.begin(), facts.processors.end(), std::back_inserter(facts.cores),
                 core_of);
  const GpuReport gpus = gpu_report();
  facts.versions = gpus.versions;
  facts.versions["hepar"] = version();
  facts.versions["Torch"] = TORCH_VERSION;
  facts.versions["MPI"] = mpi_library();
  facts.versions["instructions"] = at::get_cpu_capability();
  facts.devices = gpus.devices;
  return facts;
}

}  // namespace

int launched_ranks() {
  const int announced = announced_ranks([](const char* name) { return std::getenv(name); });
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  return announced > 0 || tasks == nullptr ? announced : std::atoi(tasks);
}

std::vector<RankFacts> gather_rank_facts(Communicator& world) {
  std::vector<RankFacts> all;
  for (const std::string& text : world.all_gather(to_json(own_facts(world)).dump())) {
    all.push_back(rank_facts_from_json(Json::parse(text), "rank " + std::to_string(all.size())));
  }
  return all;
}

}  // namespace hepar::detail
