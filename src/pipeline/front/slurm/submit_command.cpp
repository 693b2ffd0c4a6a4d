#include "hepar/pipeline/submit_command.h"

#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <set>

#include "experiment/expand_by_engine.h"
#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/slurm.h"
#include "slurm/job_book.h"
#include "slurm/shell.h"

namespace hepar {
namespace {

/// A file of hepar's own slurm/ folder: beside the build that this program is in, or installed.
fs::path shipped(const std::string& name) {
  for (fs::path folder = detail::own_folder(); folder != folder.root_path();
       folder = folder.parent_path()) {
    for (const char* place : {"slurm", "share/hepar/slurm"}) {
      if (fs::exists(folder / place / name)) {
        return folder / place / name;
      }
    }
  }
  throw ConfigError("submit: no slurm/" + name + " above " + detail::own_folder().string() +
                    "; give it with --site and --body");
}

/// While it lives, nobody else submits this experiment.
class SubmissionLock {
 public:
  explicit SubmissionLock(const fs::path& file) : file_(file, O_RDWR | O_CREAT) {
    require<DataError>(file_.is_open(), file.string() + ": cannot be created");
    require<ConfigError>(::flock(file_.get(), LOCK_EX | LOCK_NB) == 0,
                         file.string() + ": somebody else submits this experiment just now");
  }

 private:
  Descriptor file_;
};

class Submission {
 public:
  Submission(const SubmitConfig& config, bool dry_run)
      : config_(config),
        dry_run_(dry_run),
        experiment_(config.read("submit",
                                [&] {
                                  return detail::expand_by_engine("submit", config.experiment,
                                                                  config.overrides);
                                })),
        store_(fs::absolute(config.folder(experiment_)).lexically_normal()),
        slurm_(store_.folder() / "slurm"),
        site_(read_site(config.site.empty() ? shipped("site.yaml") : fs::path(config.site))),
        body_(read_text(config.body.empty() ? shipped("trials.sbatch") : fs::path(config.body))) {}

  void run() {
    require<ConfigError>(!experiment_.sweep || !experiment_.sweep->stops_early(),
                         "submit: " + config_.experiment +
                             " stops trials early (sweep.asha): which trials run is decided while "
                             "others do, inside hepar run only; start `hepar run` in one "
                             "allocation, or leave out sweep.asha");
    if (dry_run_) {
      submit();
      return;
    }
    make_writable_directory(slurm_ / "logs");
    const SubmissionLock lock(slurm_ / "lock");
    if (!config_.planned_already()) {
      store_.open(experiment_, config_.accept_changes);
    }
    store_.plan(experiment_, config_.retry_failed);
    submit();
  }

 private:
  void submit() {
    detail::JobBook book(slurm_ / "jobs.json");
    // Asked even when the book is empty: without Slurm nothing should be written.
    const auto queued = book.queued(detail::queued_elements());
    const std::vector<JobArray> arrays = plan_arrays({.experiment = experiment_,
                                                      .states = store_.states(),
                                                      .queued = queued,
                                                      .largest_array = detail::largest_array()},
                                                     site_);
    if (arrays.empty()) {
      log::print("nothing to submit: " + summary(queued.size()));
      return;
    }
    const std::size_t number = dry_run_ ? book.submissions() + 1 : book.begin_submission();
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "%03zu", number);
    scripts_ = slurm_ / name.data();
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      submit_array(arrays, i, book);
    }
    if (config_.report) {
      submit_report(book);
    }
    log::print((dry_run_ ? "would submit " : "submitted ") + std::to_string(arrays.size()) +
               " job array(s): " + summary(queued.size()));
  }

  void submit_array(const std::vector<JobArray>& arrays, std::size_t i, detail::JobBook& book) {
    const JobArray& array = arrays[i];
    std::string list;
    std::size_t trials = 0;
    for (const std::vector<std::string>& element : array.elements) {
      list += join(element, ",") + "\n";
      trials += element.size();
    }
    // A group that was split for MaxArraySize has several arrays of one name.
    const fs::path base = scripts_ / (std::to_string(i) + "-" + array.name);
    const std::string id =
        deliver(base.string() + ".sbatch", dependency(arrays, i),
                batch_script(array, place(array.name, base.string() + ".txt"), body_), list);
    jobs_.push_back(id);
    if (!dry_run_) {
      book.add(id, array.name, array.elements);
    }
    log::print("job " + id + "  " + array.name + "  " + std::to_string(trials) + " trial(s) in " +
               std::to_string(array.elements.size()) + " element(s)");
  }

  [[nodiscard]] ScriptPlace place(const std::string& job, const std::string& list) const {
    return {.experiment = store_.folder(),
            .list = list,
            .log = slurm_ / "logs" / (job + "-%A_%a.txt"),
            .program = (detail::own_folder() / "hepar").string()};
  }

  [[nodiscard]] std::string dependency(const std::vector<JobArray>& arrays, std::size_t i) const {
    std::vector<std::string> after;
    for (const std::size_t other : arrays[i].after) {
      after.push_back(jobs_[other]);
    }
    after.insert(after.end(), arrays[i].after_jobs.begin(), arrays[i].after_jobs.end());
    return after.empty() ? ""
                         : (arrays[i].corresponding ? "aftercorr:" : "afterok:") + join(after, ":");
  }

  /// Writes and submits a script; in a dry run prints them. Returns the job's number.
  std::string deliver(const fs::path& script, const std::string& dependency,
                      const std::string& text, const std::string& list) {
    std::vector<std::string> command{"sbatch", "--parsable"};
    if (!dependency.empty()) {
      // Whose input failed does not stay in the queue for ever.
      command.insert(command.end(), {"--dependency=" + dependency, "--kill-on-invalid-dep=yes"});
    }
    command.push_back(script.string());
    if (dry_run_) {
      fs::path list_file = script;
      log::print("# " + detail::shell_line(command));
      if (!list.empty()) {
        log::print("# " + list_file.replace_extension(".txt").string() + ":\n" + list);
      }
      log::print(text);
      return "JOB" + std::to_string(jobs_.size());
    }
    fs::create_directories(script.parent_path());
    fs::path list_file = script;
    if (!list.empty()) {
      write_atomically(list_file.replace_extension(".txt"), list);
    }
    write_atomically(script, text);
    return detail::submit_script(command);
  }

  /// The tables of what is done, whether or not all is.
  void submit_report(detail::JobBook& book) {
    const JobResources& common = site_.common;
    JobArray job{.name = "report", .resources = common, .elements = {{}}};
    job.resources.ranks = job.resources.nodes = job.resources.cpus_per_rank = 1;
    job.resources.gpus_per_node = job.resources.throttle = 0;
    const std::string body =
        "#!/bin/bash\n# The tables of an experiment, after its last job.\n#@RESOURCES\n#@SETUP\n"
        "exec \"${container[@]}\" \"$program\" report \"$experiment\"\n";
    const std::string id = deliver(scripts_ / "report.sbatch", "afterany:" + join(jobs_, ":"),
                                   batch_script(job, place(job.name, {}), body), "");
    if (!dry_run_) {
      book.add(id, job.name, {});
    }
    log::print("job " + id + "  report");
  }

  [[nodiscard]] std::string summary(std::size_t queued) const {
    std::map<TrialState, int> count;
    const TrialStates states = store_.states();
    for (const Trial& trial : experiment_.trials) {
      const auto state = states.find(trial.id);
      ++count[state == states.end() ? TrialState::kPlanned : state->second];
    }
    const int failed = count[TrialState::kFailed];
    return std::to_string(count[TrialState::kDone]) + " of " +
           std::to_string(experiment_.trials.size()) + " trials are done, " +
           std::to_string(queued) + " were in the queue, " + std::to_string(failed) + " failed" +
           (failed > 0 ? " (--retry-failed)" : "") + "; hepar status " + store_.folder().string();
  }

  const SubmitConfig& config_;
  bool dry_run_;
  Experiment experiment_;
  TrialStore store_;
  fs::path slurm_, scripts_;
  Site site_;
  std::string body_;
  std::vector<std::string> jobs_;  ///< of this submission's arrays
};

}  // namespace

void SubmitConfig::declare(ConfigSchema& schema) {
  ExperimentChoice::declare(schema);
  schema.add("site", site, "What jobs ask for; empty: slurm/site.yaml beside hepar", {},
             Effect::kNone);
  schema.add("body", body, "The batch script; empty: slurm/trials.sbatch beside hepar", {},
             Effect::kNone);
  schema.add("report", report, "A last job writes the tables", {}, Effect::kNone);
}

void run_submit_command(const SubmitConfig& config, bool dry_run) {
  Submission(config, dry_run).run();
}

}  // namespace hepar
