#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hepar {

/// What a trial asks of Slurm: the keys of slurm/site.yaml. Empty texts and zeros ask for nothing.
struct JobResources {
  std::string partition = {}, account = {}, qos = {}, constraint = {};
  std::string time = "24:00:00";
  std::string memory = {};  ///< of a node: "64G"
  std::int64_t nodes = 1;
  std::int64_t ranks = 1;
  std::int64_t cpus_per_rank = 1;
  std::int64_t gpus_per_node = 0;
  std::int64_t trials_per_element = 1;
  std::int64_t throttle = 0;    ///< elements of an array that run at once
  std::int64_t signal_s = 300;  ///< before the time limit trainings are told to save and stop
  std::int64_t requeues = 100;  ///< of one element, at most
  std::string launcher = "srun";
  std::string container = {};            ///< before the program: "apptainer exec --nv hepar.sif"
  std::string program = {};              ///< hepar; empty: the one that submits
  std::vector<std::string> sbatch = {};  ///< more options: "--reservation=x"
  std::vector<std::string> setup = {};   ///< lines before the program: "module load openmpi"
  void declare(ConfigSchema& schema);
  bool operator==(const JobResources&) const = default;
};

/// slurm/site.yaml: the keys of JobResources, and under `commands` other values for single
/// commands.
struct Site {
  JobResources common;
  std::map<std::string, JobResources> commands;
  [[nodiscard]] const JobResources& of(const std::string& command) const;
};
/// Throws ConfigError naming file, line and the nearest known key.
Site read_site(const std::filesystem::path& file);

/// One job array.
struct JobArray {
  std::string name = {};  ///< "net": the stage, or "level2" of several
  JobResources resources = {};
  std::vector<std::vector<std::string>> elements = {};  ///< trial ids of each
  std::vector<std::size_t> after = {};                  ///< arrays of this plan it waits for
  std::vector<std::string> after_jobs = {};             ///< jobs that were in the queue before
  bool corresponding = false;  ///< element i waits for element i of the only array in `after`
};

struct SubmissionRequest {
  const Experiment& experiment;
  TrialStates states;
  std::map<std::string, std::string> queued;  ///< trial id -> Slurm job that will do it
  std::size_t largest_array = 1001;           ///< MaxArraySize: more elements than that are split
};

/// The arrays that do what is neither done, failed, blocked by a failure nor queued: a level holds
/// the trials whose inputs are all in earlier levels, those of a level with equal resources share
/// an array, and every array comes after those it waits for.
std::vector<JobArray> plan_arrays(const SubmissionRequest& request, const Site& site);

/// Where an array's files are.
struct ScriptPlace {
  std::filesystem::path experiment;  ///< absolute
  std::filesystem::path list;        ///< a line an element
  std::filesystem::path log;         ///< with Slurm's %A and %a
  std::string program = {};          ///< hepar
};
/// `body` (slurm/trials.sbatch) with the array's #SBATCH lines, variables and setup.
std::string batch_script(const JobArray& array, const ScriptPlace& place, const std::string& body);

}  // namespace hepar
