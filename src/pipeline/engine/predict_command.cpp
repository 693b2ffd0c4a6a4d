#include "hepar/pipeline/predict_command.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/progress.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "hepar/train/predictor.h"
#include "predict_inputs.h"

namespace hepar {
namespace {

/// A run folder stands for the model inside it.
std::vector<Model> load_models(const std::vector<std::string>& folders) {
  require<ConfigError>(!folders.empty(), "model: a model or run folder is needed (--model DIR)");
  std::vector<Model> models;
  for (const std::string& folder : folders) {
    const fs::path inside = fs::path(folder) / "model";
    models.push_back(load_model(fs::is_directory(inside) ? inside : fs::path(folder)));
    const Plan &first = models.front().plan, &plan = models.back().plan;
    require<ConfigError>(plan.classes == first.classes && plan.spacing_mm == first.spacing_mm &&
                             plan.normalization == first.normalization &&
                             plan.transpose == first.transpose &&
                             models.back().orientation == models.front().orientation,
                         "model: " + folder + " cannot be averaged with " + folders.front() +
                             ": their classes, spacing, normalisation or orientation differ");
  }
  return models;
}

void predict_one(const PredictInput& input, const std::vector<Model>& models,
                 const PredictOptions& options, const fs::path& file) {
  const std::vector<Image<float>> channels = input.read();
  const LabelImage labels = predict_case(channels, models, options, input.name);
  write_nifti(file, from_labels(reorient(labels, input.to_output)));
}

/// This rank's share of the cases; returns what went wrong, by case.
std::vector<std::string> predict_share(const std::vector<PredictInput>& inputs,
                                       const std::vector<Model>& models,
                                       const PredictConfig& config,
                                       const Communicator& communicator) {
  const PredictOptions options{.step = config.step,
                               .mirror = config.mirror,
                               .tile_batch = config.tile_batch,
                               .largest_component = config.largest_component,
                               .threads = at::get_num_threads()};
  std::vector<std::string> problems;
  const auto ranks = static_cast<std::size_t>(communicator.size());
  Progress progress("predicting", static_cast<std::int64_t>((inputs.size() + ranks - 1) / ranks),
                    communicator.is_root());
  for (auto i = static_cast<std::size_t>(communicator.rank()); i < inputs.size(); i += ranks) {
    const fs::path file = fs::path(config.out) / (inputs[i].name + ".nii.gz");
    try {
      if (!fs::exists(file)) {
        predict_one(inputs[i], models, options, file);
      }
    } catch (const DataError& e) {
      problems.push_back("case " + inputs[i].name + ": " + e.what());
    }
    progress.advance(1, inputs[i].name);
  }
  return problems;
}

}  // namespace

void PredictConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Model or run folders; several are averaged");
  schema.add("in", in, "Folder of NIfTI files, or a cohort", {}, Effect::kNone);
  schema.add("out", out, "Folder for the predicted masks", {}, Effect::kNone);
  schema.add("split", split, "Splits of a cohort; empty: all");
  schema.add("sequence", sequence, "Sequences of a cohort; empty: the plan's channels");
  schema.add("step", step, "Tile step, as a share of the patch", Range{.low = 0.05, .high = 1});
  schema.add("mirror", mirror, "Average over the flips used in training");
  schema.add("largest_component", largest_component,
             "Keep the largest component only (26-connected)");
  schema.add("tile_batch", tile_batch, "Tiles in one forward pass", Range{.low = 1}, Effect::kNone);
  schema.add("threads", threads, "Threads of a rank; 0: usable processors / ranks on the host",
             Range{.low = 0}, Effect::kNone);
}

void run_predict_command(const PredictConfig& config, bool dry_run, Communicator& communicator) {
  std::vector<Model> models;
  std::vector<PredictInput> inputs;
  together(communicator, [&] {
    require<ConfigError>(!config.in.empty() && !config.out.empty(),
                         "in, out: both folders are needed (--in DIR --out DIR)");
    models = load_models(config.model);
    inputs = predict_inputs(config, models.front().plan);
    if (communicator.is_root() && !dry_run) {
      make_writable_directory(config.out);
    }
  });
  if (dry_run) {
    log::info("would predict " + std::to_string(inputs.size()) + " images into " + config.out);
    return;
  }
  const std::int64_t threads = config.threads > 0
                                   ? config.threads
                                   : std::max(1, usable_processors() / communicator.local_size());
  at::set_num_threads(static_cast<int>(threads));
  const std::vector<std::string> problems = predict_share(inputs, models, config, communicator);
  std::vector<std::string> all;
  for (const std::string& text : communicator.all_gather(join(problems, "\n"))) {
    if (!text.empty()) {
      all.push_back(text);
    }
  }
  together(communicator, [&] { require<DataError>(all.empty(), join(all, "\n")); });
  log::info(std::to_string(inputs.size()) + " masks in " + config.out);
}

}  // namespace hepar
