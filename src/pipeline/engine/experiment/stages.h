#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/experiment.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hepar::detail {

/// A command as a stage of an experiment.
struct EngineStage {
  StageKind kind;
  bool on_root_only = false;  ///< works in one process with threads; the other ranks idle
  bool fresh = false;         ///< cannot continue: what a killed attempt left is removed first
  std::function<ExitCode(void* config, Communicator& group)> run;
};

/// The one table of stages: a new one is a line here.
const std::vector<EngineStage>& engine_stages();

/// Throws Error when there is none (expansion knows the same table).
const EngineStage& engine_stage(const std::string& command);

}  // namespace hepar::detail
