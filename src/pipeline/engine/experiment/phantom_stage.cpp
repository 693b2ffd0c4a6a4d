#include "experiment/phantom_stage.h"

#include <vector>

#include "hepar/prep/phantom.h"

namespace hepar::detail {

void PhantomStageConfig::declare(ConfigSchema& schema) {
  schema.add("preset", preset, "How many patients, and how fine: paper, quick, tiny");
  schema.add("variant", variant, "plain, or confound: a cue outside the liver");
  schema.add("layout", layout, "Whose folders and spelling to write");
  schema.add("external", external,
             "Other data sets instead (chaos, amos, atlas; all), each in a folder");
  schema.add("sequences", sequences, "Sequences to write, separated by commas, or all");
  schema.add("seed", seed, "Seed; the same seed gives the same bytes", Range{.low = 0});
  schema.add("threads", threads, "Threads; 0: all processors", Range{.low = 0, .high = 1024},
             Effect::kNone);
  schema.add("out", out, "Folder for the files", {}, Effect::kNone);
}

void run_phantom_stage(const PhantomStageConfig& config) {
  std::vector<std::string> words{"--preset",  config.preset,
                                 "--seed",    std::to_string(config.seed),
                                 "--threads", std::to_string(config.threads),
                                 "--out",     config.out};
  if (config.external.empty()) {
    words.insert(words.end(), {"--variant", config.variant, "--layout", config.layout,
                               "--sequences", config.sequences});
  } else {
    words.insert(words.end(), {"--external", config.external});
  }
  run_phantom_command(words);
}

}  // namespace hepar::detail
