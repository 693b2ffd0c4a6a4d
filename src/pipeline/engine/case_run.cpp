#include "case_run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "hepar/core/progress.h"
#include "hepar/train/device.h"
#include "hepar/train/transfer.h"

namespace hepar {
namespace {

/// File names in a problem may be no UTF-8.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Loaded {
  std::vector<NetworkInput> views;  ///< one a configuration
  Grid grid;                        ///< of the images as they were read
  std::set<std::string> hashes;
};

class RankShare {
 public:
  RankShare(const CaseRun& run, Communicator& communicator)
      : run_(run), communicator_(communicator) {}

  /// Cases of this rank alone.
  void own(const std::vector<std::size_t>& cases, Progress& progress) {
    std::future<Loaded> next;
    if (!cases.empty()) {
      next = start(cases.front());
    }
    std::future<void> keeping;
    std::size_t kept = 0;
    for (std::size_t k = 0; k < cases.size(); ++k) {
      std::future<Loaded> now = std::move(next);
      now.wait();
      if (k + 1 < cases.size()) {
        next = start(cases[k + 1]);
      }
      guard(cases[k], [&] {
        auto loaded = std::make_shared<Loaded>(now.get());
        hashes_[input(cases[k]).name] = loaded->hashes;
        const std::vector<at::Tensor> logits = logits_of(*loaded, run_.options);
        finish(keeping, kept);
        kept = cases[k];
        keeping = std::async(std::launch::async, [this, loaded, logits, index = cases[k]] {
          keep(index, *loaded, logits);
        });
      });
      progress.advance(1, input(cases[k]).name);
    }
    finish(keeping, kept);
  }

  /// One case of all ranks. Collective.
  void shared(std::size_t index) {
    std::unique_ptr<Loaded> loaded;
    guard(index, [&] { loaded = std::make_unique<Loaded>(load(index)); });
    bool all = true;
    for (const std::string& text : communicator_.all_gather(loaded ? "read" : "")) {
      all = all && !text.empty();
    }
    if (!all) {
      return;
    }
    PredictOptions options = run_.options;
    options.sharing = &communicator_;
    const std::vector<at::Tensor> logits = logits_of(*loaded, options);
    if (communicator_.is_root()) {
      hashes_[input(index).name] = loaded->hashes;
      guard(index, [&] { keep(index, *loaded, logits); });
    }
  }

  /// What all ranks have found. Collective.
  CaseRunOutcome gather() {
    Json own{{"problems", problems_}, {"hashes", hashes_}};
    CaseRunOutcome outcome;
    std::map<std::string, std::string> problems;
    for (const std::string& text : communicator_.all_gather(text_of(own))) {
      const Json json = Json::parse(text);
      problems.merge(json["problems"].get<std::map<std::string, std::string>>());
      outcome.hashes.merge(json["hashes"].get<std::map<std::string, std::set<std::string>>>());
    }
    for (const auto& [name, problem] : problems) {
      outcome.problems.push_back("case " + name + ": " + problem);
    }
    return outcome;
  }

 private:
  [[nodiscard]] const PredictInput& input(std::size_t index) const { return run_.inputs[index]; }

  [[nodiscard]] Loaded load(std::size_t index) const {
    ReadImages images = input(index).read();
    Loaded loaded{{}, images.channels.front().grid, images.hashes};
    for (Image<float>& channel : images.channels) {
      channel = reorient(channel, native_turn(index));
    }
    for (const std::vector<Model>* models : configurations()) {
      loaded.views.push_back(
          prepare_input(images.channels, models->front(), run_.options.threads, input(index).name));
    }
    return loaded;
  }

  /// A cohort's images are canonical; a native model wants them as their files had them.
  [[nodiscard]] Reorientation native_turn(std::size_t index) const {
    return run_.models.front().orientation == "native" ? input(index).to_output : Reorientation{};
  }

  [[nodiscard]] std::vector<const std::vector<Model>*> configurations() const {
    return run_.second == nullptr ? std::vector{&run_.models}
                                  : std::vector{&run_.models, run_.second};
  }

  [[nodiscard]] std::vector<at::Tensor> logits_of(Loaded& loaded,
                                                  const PredictOptions& options) const {
    std::vector<at::Tensor> logits;
    for (std::size_t i = 0; i < loaded.views.size(); ++i) {
      logits.push_back(predict_logits(loaded.views[i], *configurations()[i], options));
      loaded.views[i].image.reset();  // what is left to do needs the geometry only
    }
    return logits;
  }

  [[nodiscard]] std::future<Loaded> start(std::size_t index) const {
    return std::async(std::launch::async, [this, index] { return load(index); });
  }

  void keep(std::size_t index, const Loaded& loaded, const std::vector<at::Tensor>& logits) const {
    if (run_.keep_logits) {
      run_.keep_logits(input(index), logits);
    }
    std::vector<ConfigurationLogits> answers;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      answers.push_back({loaded.views[i], logits[i]});
    }
    Prediction answer = finish_ensemble(answers, run_.options, run_.with_confidence);
    answer.labels = reorient(answer.labels, inverse(native_turn(index)));
    answer.labels.grid = loaded.grid;
    run_.keep(input(index), answer);
  }

  void finish(std::future<void>& keeping, std::size_t index) {
    if (keeping.valid()) {
      guard(index, [&] { keeping.get(); });
    }
  }

  /// A bad case is named in the end; the others are done all the same.
  template <class Work>
  void guard(std::size_t index, Work&& work) {
    try {
      std::forward<Work>(work)();
    } catch (const DataError& e) {
      problems_[input(index).name] = e.what();
    }
  }

  const CaseRun& run_;
  Communicator& communicator_;
  std::map<std::string, std::string> problems_;
  std::map<std::string, std::set<std::string>> hashes_;
};

}  // namespace

void InferenceConfig::declare_inference(ConfigSchema& schema) {
  schema.add("step", step, "Tile step, as a share of the patch", Range{.low = 0.05, .high = 1});
  schema.add("mirror", mirror, "Average over the flips used in training");
  compute.declare(schema);
  schema.add("tile_batch", tile_batch, "Tiles in one forward pass", Range{.low = 1}, Effect::kNone);
  schema.add("threads", threads, "Threads of a rank; 0: usable processors / ranks that share them",
             Range{.low = 0}, Effect::kNone);
}

PredictOptions predict_options(const InferenceConfig& config, const Communicator& communicator) {
  PredictOptions options;
  options.step = config.step;
  options.mirror = config.mirror;
  options.tile_batch = config.tile_batch;
  options.compute = choose_compute(config.compute, communicator);
  options.threads = choose_threads(config.threads, communicator);
  at::set_num_threads(options.threads);
  return options;
}

std::vector<std::size_t> missing_cases(const std::vector<PredictInput>& inputs,
                                       const std::function<bool(const PredictInput&)>& done,
                                       Communicator& communicator) {
  std::string missing(inputs.size(), '0');
  together(communicator, [&] {
    for (std::size_t i = 0; communicator.is_root() && i < inputs.size(); ++i) {
      missing[i] = done(inputs[i]) ? '0' : '1';
    }
  });
  missing = communicator.broadcast(missing, 0);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (missing[i] == '1') {
      indices.push_back(i);
    }
  }
  return indices;
}

std::vector<Model> load_models(const std::vector<std::string>& folders, const Compute& compute) {
  require<ConfigError>(!folders.empty(), "model: a model or run folder is needed (--model DIR)");
  std::vector<Model> models;
  for (const std::string& folder : folders) {
    models.push_back(load_model(model_folder_of(folder)));
    models.back().network->use(compute);
    const Plan &first = models.front().plan, &plan = models.back().plan;
    require<ConfigError>(plan.classes == first.classes && plan.spacing_mm == first.spacing_mm &&
                             plan.normalization == first.normalization &&
                             plan.transpose == first.transpose &&
                             models.back().regions == models.front().regions &&
                             models.back().orientation == models.front().orientation,
                         "model: " + folder + " cannot be averaged with " + folders.front() +
                             ": their classes, spacing, normalisation or orientation differ");
  }
  return models;
}

std::string ensemble_difference(const Model& first, const Model& second) {
  const std::vector<std::pair<bool, std::string>> same{
      {first.plan.classes == second.plan.classes, "classes"},
      {first.regions == second.regions, "regions"},
      {first.plan.channels == second.plan.channels, "channels"},
      {first.plan.transpose == second.plan.transpose, "axis orders"},
      {first.orientation == second.orientation, "orientations"}};
  const auto found =
      std::find_if(same.begin(), same.end(), [](const auto& entry) { return !entry.first; });
  return found == same.end() ? "" : found->second;
}

std::vector<Model> load_second_models(const std::vector<std::string>& folders, const Model& first,
                                      const Compute& compute) {
  std::vector<Model> models = load_models(folders, compute);
  const std::string difference = ensemble_difference(first, models.front());
  require<ConfigError>(difference.empty(), "ensemble_with: " + folders.front() +
                                               " cannot be averaged with the first configuration: "
                                               "their " +
                                               difference + " differ");
  return models;
}

CaseRunOutcome run_cases(const CaseRun& run, const std::vector<std::size_t>& todo,
                         Communicator& communicator) {
  const auto ranks = static_cast<std::size_t>(communicator.size());
  const std::size_t rest = run.share_tiles && ranks > 1 ? todo.size() % ranks : 0;
  std::vector<std::size_t> own;
  for (auto i = static_cast<std::size_t>(communicator.rank()); i < todo.size() - rest; i += ranks) {
    own.push_back(todo[i]);
  }
  Progress progress(run.title, static_cast<std::int64_t>(own.size() + rest),
                    communicator.is_root());
  RankShare share(run, communicator);
  share.own(own, progress);
  for (std::size_t i = todo.size() - rest; i < todo.size(); ++i) {
    share.shared(todo[i]);
    progress.advance(1, run.inputs[todo[i]].name);
  }
  return share.gather();
}

}  // namespace hepar
