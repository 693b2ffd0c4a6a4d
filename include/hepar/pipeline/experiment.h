#pragma once
#include <hepar/core/config.h>
#include <hepar/core/json.h>
#include <hepar/core/yaml.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// A command that a stage of an experiment may run.
struct StageKind {
  std::string command = {};  ///< "train"
  std::string output =
      {};  ///< what the command writes, inside the trial's folder: "out", "plan.yaml"
  /// Parts of an output folder that are the result (`model` of a training); empty: all of it.
  std::vector<std::string> results = {};
  /// A default-constructed configuration of the command, declared into the schema. The answer keeps
  /// it alive.
  std::function<std::shared_ptr<void>(ConfigSchema&)> declare;
};

template <class Config>
std::shared_ptr<void> declare_config(ConfigSchema& schema) {
  auto config = std::make_shared<Config>();
  config->declare(schema);
  return config;
}

/// Values of axes, by axis. All of them are texts, as in the file.
using AxisValues = std::map<std::string, std::string>;

/// "seed=0, row=a"; empty for none.
std::string to_string(const AxisValues& axes);

/// The rows that make a table: which stage's scores, whose rows, and what stands beside.
struct TableSpec {
  std::string kind = "masks";  ///< or "staging"
  std::string title;
  std::string scores;  ///< stage whose output is an `evaluate` document, or volumes' staging scores
  std::string rows;    ///< axis: one row a value; the settings of all other axes are its runs
  std::map<std::string, std::string> titles;  ///< of rows
  struct Group {
    std::string name;
    std::vector<std::string> split, domain;  ///< empty: any
  };
  std::vector<std::pair<std::string, std::string>> compare;  ///< (row, minus row)
  /// Published figures: group -> row -> {dsc, hd_mm, …}, or group -> row -> question -> {auc, acc}.
  Json paper = Json::object();

  // Of masks.
  std::string cohort;         ///< stage whose manifest says split and domain of each case
  std::vector<Group> groups;  ///< column blocks

  // Of staging scores; their groups are the domains of the scores.
  std::map<std::string, std::string> fusion;  ///< row -> rule (fusion.h); others: the mean
  std::vector<std::string> ood{"C"};          ///< domains out of the training distribution
  std::int64_t draws = 2000;                  ///< of the bootstrap
  /// Stages that score the same patients otherwise, each empty or one of command classify: with
  /// what is not liver replaced by noise; with a cue outside of the liver exchanged.
  std::string noise, swapped;
  /// One of command classify with out-of-fold scores of other patients: cuts, weights of sequences
  /// and stage priors are fitted on them. Empty: on the other folds of `scores`.
  std::string fit;
};

/// The axis that a sweep with ASHA adds to what depends on the training it stops: steps, as a text.
inline constexpr const char* kRungAxis = "rung";

/// Section `sweep`: configurations of the axes, ranked by one number of one stage's output.
struct SweepSpec {
  struct Metric {
    std::string stage;         ///< writes a JSON file, or is a training
    std::string key;           ///< "summary.dsc.mean"; of a training, in metrics.jsonl: its last
    std::string goal = "max";  ///< max | min
  } metric;
  /// Axes that are not part of a configuration: its value is the mean over their settings.
  std::vector<std::string> repeats;
  std::int64_t samples = 0;  ///< configurations that are drawn; 0: the whole grid
  std::uint64_t seed = 0;    ///< of the draws
  /// Successive halving as in ASHA (Li et al., 2018, arXiv 1810.05934) with one bracket, whose
  /// rungs are synchronous. Without a stage every configuration is trained to its end.
  struct Asha {
    std::string stage;                ///< the training that is stopped early
    std::vector<std::int64_t> rungs;  ///< steps, ascending, the last of them train.steps
    std::int64_t eta = 3;             ///< one configuration in eta goes on
  } asha;

  [[nodiscard]] bool stops_early() const { return !asha.stage.empty(); }
};

/// One run of one command. Two stages that ask for the same thing are one trial.
struct Trial {
  std::string id = {};  ///< 16 hexadecimal digits
  std::string stage = {};
  std::string command = {};
  AxisValues axes = {};  ///< those that the stage or what it uses depends on
  std::vector<std::string> inputs =
      {};  ///< ids of the trials whose output it reads, in order of use
  /// The keys given, in the file's order; "@{id}" stands for the output of trial `id`.
  Json config = Json::object();
  std::string output = {};                ///< StageKind::output
  std::vector<std::string> results = {};  ///< StageKind::results
  std::int64_t steps = 0;       ///< of a training that it makes itself; 0 for other commands
  std::int64_t first_step = 0;  ///< those that the trial made whose training it continues
};

/// A stage under values of its axes, and the trial that does it.
struct Cell {
  std::string stage = {};
  AxisValues axes = {};
  std::string id = {};
};

/// An experiment with every stage expanded.
struct Experiment {
  std::string name;
  std::map<std::string, std::vector<std::string>> axes;
  std::vector<std::string> stages;  ///< in the file's order
  std::vector<Trial> trials;        ///< each after those it reads
  std::vector<Cell> cells;
  std::optional<TableSpec> table;
  std::optional<SweepSpec> sweep;
  Json document;  ///< the file with its overrides

  [[nodiscard]] const Trial& trial(const std::string& id) const;
  [[nodiscard]] const Cell* cell(const std::string& stage, const AxisValues& axes) const;
};

/// Reads and expands an experiment file:
///
///   name: tiny
///   values: {steps: 300}              # named values: ${steps}
///   axes: {seed: [0, 1]}              # named values with several settings: ${seed}
///   defaults: {train: {run: {threads: 1}}}        # keys of every stage of a command
///   stages:
///     cohort: {command: convert, source: liqa, in: /data/LiQA}
///     plan: {command: plan, data: "${cohort}"}          # ${stage}: what that stage wrote
///     set: {command: prepare, data: "${cohort}", plan: "${plan}"}
///     net: {command: train, seed: "${seed}", data: {path: "${set}"}, train: {steps: "${steps}"}}
///
/// A stage becomes one trial for each combination of the axes that it or what it reads uses; an
/// axis named `stage.key` sets that key. With a section `sweep` the combinations may be samples,
/// and its rungs are one more axis (docs/experiments.md). `overrides` are "axes.seed=[0,1]",
/// "values.steps=9", "stages.net.train.steps=9", "sweep.samples=9". Throws ConfigError listing
/// every problem with file and line: unknown names (with the nearest known one), wrong values,
/// circles, inputs that do not exist.
Experiment expand_experiment(const std::filesystem::path& file,
                             const std::vector<std::string>& overrides,
                             const std::vector<StageKind>& kinds);
Experiment expand_experiment(YamlDocument document, const std::vector<std::string>& overrides,
                             const std::vector<StageKind>& kinds);

/// EXP/trials.json: what `status` and `report` read.
Json to_json(const Experiment& experiment);
Experiment experiment_from_json(const Json& json, const std::string& where);

}  // namespace hepar
