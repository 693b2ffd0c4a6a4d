#include "experiment/phantom_stage.h"

#include "hepar/core/text.h"
#include "hepar/prep/phantom.h"

namespace hepar::detail {
namespace {

constexpr std::array<const char*, 4> kDomains{"A", "B1", "B2", "C"};

}  // namespace

void PhantomStageConfig::declare(ConfigSchema& schema) {
  schema.add("preset", preset, "How many patients, and how fine: paper, quick, tiny");
  schema.add("variant", variant,
             "plain; confound: a cue outside the liver; swapped: another patient's");
  schema.add("layout", layout, "Whose folders and spelling to write");
  schema.add("external", external,
             "Other data sets instead (chaos, amos, atlas; all), each in a folder");
  schema.add("sequences", sequences, "Sequences to write, separated by commas, or all");
  for (std::size_t i = 0; i < kDomains.size(); ++i) {
    schema.add(std::string("patients.") + kDomains[i], patients[i],
               "Patients of this domain: train, validation, test, masks among train; empty: the "
               "preset's",
               Range{.low = 0});
  }
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
    for (std::size_t i = 0; i < kDomains.size(); ++i) {
      std::vector<std::string> counts;
      for (const std::int64_t count : config.patients[i]) {
        counts.push_back(std::to_string(count));
      }
      if (!counts.empty()) {
        words.insert(words.end(), {"--set", "presets." + config.preset + "." + kDomains[i] + "=[" +
                                                join(counts, ",") + "]"});
      }
    }
  } else {
    words.insert(words.end(), {"--external", config.external});
  }
  run_phantom_command(words);
}

}  // namespace hepar::detail
