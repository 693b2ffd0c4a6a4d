#include "hepar/pipeline/measured_trials.h"

#include <cmath>
#include <ctime>
#include <fstream>

#include "hepar/core/files.h"

namespace hepar {
namespace {

constexpr const char* kDefaultCheckpointEvery = "250";  // steps, as `train` has it

double seconds_since_1970(const std::string& utc) {
  std::tm parts{};
  return ::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr
             ? 0
             : static_cast<double>(::timegm(&parts));
}

/// The number behind `"key":` in a line of JSON. Parsing whole lines of hundreds of trainings would
/// take a second.
double number_in(const std::string& line, const std::string& key) {
  const std::string name = "\"" + key + "\":";
  const auto at = line.find(name);
  return at == std::string::npos ? std::nan("")
                                 : std::strtod(line.c_str() + at + name.size(), nullptr);
}

struct LoggedSteps {
  double mean_s = 0;  ///< 0: none
  std::int64_t global_batch = 0;
};

/// Steps that a training itself made, from its metrics.jsonl.
LoggedSteps logged_steps(const fs::path& file, std::int64_t first_step) {
  std::ifstream stream(file);
  LoggedSteps logged;
  double sum = 0;
  std::int64_t count = 0;
  for (std::string line; std::getline(stream, line);) {
    const double step_s = number_in(line, "step_s");
    if (std::isfinite(step_s) && number_in(line, "step") > static_cast<double>(first_step)) {
      sum += step_s;
      ++count;
      logged.global_batch = std::llround(step_s * number_in(line, "samples_per_s"));
    }
  }
  logged.mean_s = count == 0 ? 0 : sum / static_cast<double>(count);
  return logged;
}

double bytes_of(const Json& outputs, const std::string& ending = "") {
  double bytes = 0;
  for (const Json& file : outputs) {
    if (file.at("path").get<std::string>().ends_with(ending)) {
      bytes += file.at("bytes").get<double>();
    }
  }
  return bytes;
}

double folder_bytes(const fs::path& folder) {
  double bytes = 0;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    bytes += entry.is_regular_file() ? static_cast<double>(entry.file_size()) : 0;
  }
  return bytes;
}

/// The last checkpoint stands for all of a training's.
double checkpoint_bytes(const fs::path& checkpoints) {
  const fs::path latest = checkpoints / "latest";
  if (!fs::exists(latest)) {
    return 0;
  }
  std::string name = read_text(latest);
  name.erase(name.find_last_not_of("\n") + 1);
  return folder_bytes(checkpoints / name);
}

void add_training(const TrialStore& store, const Json& outputs, MeasuredTrial& measured) {
  const Trial& trial = measured.trial;
  const fs::path out = store.output(trial);
  const LoggedSteps logged = logged_steps(out / "metrics.jsonl", trial.first_step);
  const std::int64_t given = std::stoll(setting(trial, "train.global_batch", "0"));
  measured.training = split_wall(
      measured.cost.wall_s, logged.mean_s,
      {.steps = trial.steps,
       .global_batch = std::max<std::int64_t>(1, given > 0 ? given : logged.global_batch),
       .ranks = measured.cost.ranks,
       .reduction = setting(trial, "dist.reduction", "tree")});
  measured.training.gradient_bytes = bytes_of(outputs, "weights.safetensors");
  measured.checkpoint_bytes = checkpoint_bytes(out / "checkpoints");
}

}  // namespace

std::string setting(const Trial& trial, const std::string& key, const std::string& otherwise) {
  const auto found = trial.config.find(key);
  return found != trial.config.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

std::int64_t checkpoints_of(const Trial& trial) {
  const std::int64_t every =
      std::stoll(setting(trial, "train.checkpoint_every", kDefaultCheckpointEvery));
  const std::int64_t last = trial.first_step + trial.steps;
  return trial.steps == 0 ? 0 : 1 + (last - 1) / every - trial.first_step / every;
}

std::vector<MeasuredTrial> read_measured(const fs::path& folder) {
  const TrialStore store(folder);
  const Experiment experiment = store.experiment();
  const TrialStates states = store.states();
  const auto keys = cost_keys(experiment);
  std::vector<MeasuredTrial> all;
  for (const Trial& trial : experiment.trials) {
    const auto state = states.find(trial.id);
    const bool done = state != states.end() && state->second == TrialState::kDone;
    const auto outcome = done ? store.outcome(trial.id) : std::nullopt;
    if (!outcome) {
      continue;
    }
    MeasuredTrial measured{.trial = trial,
                           .folder = folder.string(),
                           .keys = keys.at(trial.id),
                           .cost = outcome->cost,
                           .started_s = seconds_since_1970(outcome->started),
                           .on_gpu = setting(trial, "device", "auto") == "cuda",
                           .output_bytes = bytes_of(outcome->outputs)};
    if (trial.steps > 0) {
      add_training(store, outcome->outputs, measured);
    }
    all.push_back(std::move(measured));
  }
  return all;
}

}  // namespace hepar
