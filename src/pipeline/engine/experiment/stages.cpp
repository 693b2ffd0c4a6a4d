#include "experiment/stages.h"

#include <algorithm>

#include "experiment/masks_stage.h"
#include "experiment/phantom_stage.h"
#include "hepar/pipeline/classify_command.h"
#include "hepar/pipeline/evaluate.h"
#include "hepar/pipeline/plan_command.h"
#include "hepar/pipeline/postprocess.h"
#include "hepar/pipeline/predict_command.h"
#include "hepar/pipeline/pseudo_label_command.h"
#include "hepar/pipeline/run_command.h"
#include "hepar/pipeline/score_command.h"
#include "hepar/pipeline/train_command.h"
#include "hepar/pipeline/voi_command.h"
#include "hepar/prep/convert.h"
#include "hepar/prep/prepare.h"

namespace hepar {
namespace detail {
namespace {

struct Output {
  const char* name = "out";
  std::vector<std::string> results = {};
};

template <class Config>
EngineStage on_ranks(const char* command, ExitCode (*run)(Config&, Communicator&),
                     Output output = {}) {
  return {.kind = {command, output.name, output.results, declare_config<Config>},
          .run = [run](void* config, Communicator& group) {
            return run(*static_cast<Config*>(config), group);
          }};
}

template <class Config>
EngineStage on_root(const char* command, void (*run)(const Config&), Output output = {}) {
  return {.kind = {command, output.name, output.results, declare_config<Config>},
          .on_root_only = true,
          .run = [run](void* config, Communicator&) {
            run(*static_cast<const Config*>(config));
            return ExitCode::kDone;
          }};
}

ExitCode run_convert(ConvertConfig& config, Communicator& group) {
  convert(config, group);
  return ExitCode::kDone;
}

ExitCode run_prepare(PrepareConfig& config, Communicator& group) {
  prepare(config, group);
  return ExitCode::kDone;
}

ExitCode run_train(TrainConfig& config, Communicator& group) {
  return run_train_command(config, false, group);
}

ExitCode run_predict(PredictConfig& config, Communicator& group) {
  run_predict_command(config, false, group);
  return ExitCode::kDone;
}

ExitCode run_pseudo_label(PseudoLabelConfig& config, Communicator& group) {
  run_pseudo_label_command(config, false, group);
  return ExitCode::kDone;
}

ExitCode run_voi(VoiConfig& config, Communicator& group) {
  run_voi_command(config, false, group);
  return ExitCode::kDone;
}

ExitCode run_classify(ClassifyConfig& config, Communicator& group) {
  run_classify_command(config, false, group);
  return ExitCode::kDone;
}

EngineStage phantom_stage() {
  EngineStage stage = on_root<PhantomStageConfig>("phantom", run_phantom_stage);
  stage.fresh = true;
  return stage;
}

EngineStage masks_stage() {
  EngineStage stage = on_ranks<MasksStageConfig>("masks", run_masks_stage);
  stage.fresh = true;
  return stage;
}

}  // namespace

const std::vector<EngineStage>& engine_stages() {
  static const std::vector<EngineStage> kStages{
      phantom_stage(),
      on_ranks<ConvertConfig>("convert", run_convert),
      on_root<PlanCommandConfig>(
          "plan", [](const PlanCommandConfig& config) { run_plan_command(config, false); },
          {.name = "plan.yaml"}),
      on_ranks<PrepareConfig>("prepare", run_prepare),
      on_ranks<TrainConfig>("train", run_train, {.results = {"model"}}),
      on_ranks<PredictConfig>("predict", run_predict),
      on_ranks<PseudoLabelConfig>("pseudo-label", run_pseudo_label),
      on_ranks<VoiConfig>("voi", run_voi),
      on_ranks<ClassifyConfig>("classify", run_classify),
      masks_stage(),
      on_root<PostprocessConfig>(
          "postprocess", [](const PostprocessConfig& config) { postprocess(config, false); },
          {.name = "postprocessing.json"}),
      on_root<EvaluateConfig>("evaluate",
                              [](const EvaluateConfig& config) { evaluate(config, false); },
                              {.name = "scores.json"}),
      on_root<ScoreConfig>("score",
                           [](const ScoreConfig& config) { run_score_command(config, false); },
                           {.name = "scores.json"}),
  };
  return kStages;
}

const EngineStage& engine_stage(const std::string& command) {
  const auto& stages = engine_stages();
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const EngineStage& stage) {
    return stage.kind.command == command;
  });
  require(found != stages.end(), "no stage runs the command '" + command + "'");
  return *found;
}

}  // namespace detail

std::vector<StageKind> stage_kinds() {
  std::vector<StageKind> kinds;
  for (const detail::EngineStage& stage : detail::engine_stages()) {
    kinds.push_back(stage.kind);
  }
  return kinds;
}

}  // namespace hepar
