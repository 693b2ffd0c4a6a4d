#include "experiment/expand_by_engine.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "slurm/shell.h"

namespace hepar::detail {

fs::path own_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

Experiment expand_by_engine(const std::string& command, const std::string& file,
                            const std::vector<std::string>& overrides) {
  std::vector<std::string> words{(own_folder() / "hepar-engine").string(), "run", file, "--dry-run",
                                 "--json"};
  for (const std::string& override_text : overrides) {
    words.insert(words.end(), {"--set", override_text});
  }
  const ProcessResult result = run_process(words);
  if (result.exit_code != 0) {  // it has said why
    throw Error(
        command + ": '" + shell_line(words) + "' ended with " + std::to_string(result.exit_code),
        result.exit_code == 2 ? ExitCode::kUsage : ExitCode::kFailure);
  }
  return experiment_from_json(Json::parse(result.output), file);
}

}  // namespace hepar::detail
