#pragma once
#include <hepar/pipeline/experiment.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiment/axis_source.h"
#include "experiment/problems.h"

namespace hepar::detail {

/// One key of a stage, dotted, its value still with references, and where in the file it stands.
struct KeySource {
  std::string key;
  Json value;
  std::string path;  ///< "stages.net.train.steps"
};

/// A stage as written: its command and its keys, those of `defaults` first.
struct StageSource {
  std::string name;
  std::string command;
  std::vector<KeySource> keys;

  [[nodiscard]] const KeySource* find(const std::string& key) const;
};

/// Replaces the key of that name, or adds it.
void set_key(std::vector<KeySource>& keys, const KeySource& entry);

/// An experiment file, read and overridden, before expansion.
struct ExperimentSource {
  std::string name;
  std::map<std::string, Json> values;
  std::vector<AxisSource> axes;  ///< in the file's order
  std::vector<StageSource> stages;
  std::vector<KeySource> sweep_keys;  ///< of the section `sweep`
  std::optional<SweepSpec> sweep;
  YamlDocument document;
};

/// Sections, names and shapes; commands and their keys are checked when stages are expanded.
ExperimentSource read_source(YamlDocument document, const std::vector<std::string>& overrides,
                             Problems& problems);

/// The section `table`; nullopt when there is none.
std::optional<TableSpec> read_table(const ExperimentSource& source, Problems& problems);

std::vector<std::string> names_of(const std::vector<StageSource>& stages);

}  // namespace hepar::detail
