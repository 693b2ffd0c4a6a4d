#include "case_run.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "hepar/core/progress.h"
#include "hepar/train/transfer.h"

namespace hepar {
namespace {

/// File names in a problem may be no UTF-8.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Loaded {
  NetworkInput network;
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
        const at::Tensor logits = predict_logits(loaded->network, run_.models, run_.options);
        finish(keeping, kept);
        kept = cases[k];
        keeping = std::async(std::launch::async, [this, loaded, logits, index = cases[k]] {
          keep(index, loaded->network, logits);
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
    const at::Tensor logits = predict_logits(loaded->network, run_.models, options);
    if (communicator_.is_root()) {
      hashes_[input(index).name] = loaded->hashes;
      guard(index, [&] { keep(index, loaded->network, logits); });
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
    return {prepare_input(images.channels, run_.models.front(), run_.options.threads,
                          input(index).name),
            images.hashes};
  }

  [[nodiscard]] std::future<Loaded> start(std::size_t index) const {
    return std::async(std::launch::async, [this, index] { return load(index); });
  }

  void keep(std::size_t index, const NetworkInput& network, const at::Tensor& logits) const {
    run_.keep(input(index), finish_prediction(network, logits, run_.options, run_.with_confidence));
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

std::vector<Model> load_models(const std::vector<std::string>& folders, at::Device device) {
  require<ConfigError>(!folders.empty(), "model: a model or run folder is needed (--model DIR)");
  std::vector<Model> models;
  for (const std::string& folder : folders) {
    models.push_back(load_model(model_folder_of(folder)));
    models.back().network->to(device);
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
