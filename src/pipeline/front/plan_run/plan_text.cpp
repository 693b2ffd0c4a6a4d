#include <algorithm>

#include "experiment/progress_of.h"
#include "hepar/core/text.h"
#include "plan_run/plan_output.h"
#include "plan_run/units.h"

namespace hepar::detail {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string or_blank(double value, int digits) { return value > 0 ? fixed(value, digits) : ""; }

std::vector<std::string> row_of(const std::string& stage, const std::string& command,
                                const Amounts& sum) {
  const int measured = sum.trials - sum.not_measured;
  return {stage,
          command,
          std::to_string(sum.trials),
          sum.not_measured > 0 ? std::to_string(sum.not_measured) : "",
          measured > 0 ? duration_text(sum.seconds / measured) : "",
          measured > 0 ? duration_text(sum.seconds) : "",
          or_blank(sum.core_hours, 3),
          or_blank(sum.gpu_hours, 3),
          bytes_text(sum.written_bytes),
          bytes_text(sum.read_bytes)};
}

std::string command_of(const Experiment& experiment, const std::string& stage) {
  const auto found = std::find_if(experiment.trials.begin(), experiment.trials.end(),
                                  [&](const Trial& trial) { return trial.stage == stage; });
  return found->command;
}

std::string stage_table(const PlannedRun& run) {
  Rows rows{{"stage", "command", "trials", "not measured", "a trial", "in a row", "core-h", "GPU-h",
             "written", "read"}};
  for (const std::string& stage : run.experiment.stages) {
    if (const auto found = run.stages.find(stage); found != run.stages.end()) {
      rows.push_back(row_of(stage, command_of(run.experiment, stage), found->second));
    }
  }
  rows.push_back(row_of("all", "", run.all));
  return format_table(rows);
}

std::string machine_text(const Machine& machine) {
  std::string text = std::to_string(machine.nodes) + " node(s) of " +
                     std::to_string(machine.ranks_per_node) + " rank(s)";
  if (machine.gpus_per_node > 0) {
    text += " and " + std::to_string(machine.gpus_per_node) + " GPU(s)";
  }
  return text + (machine.site
                     ? ", through Slurm"
                     : ", " + std::to_string(machine.ranks_per_trial) + " rank(s) a trial");
}

std::string wall_text(const PlannedRun& run) {
  const Packing& packing = run.packing;
  const double held = packing.makespan_s * run.machine.places();
  const std::string least = run.all.not_measured > 0 ? "at least " : "";
  std::string text = "\nwall time   " + least + duration_text(packing.makespan_s) +
                     ", ranks busy " + fixed(held > 0 ? 100 * packing.busy_s / held : 0, 0) +
                     " % of it; the longest chain of trials takes " +
                     duration_text(packing.longest_chain_s);
  text += "\ncore-hours  " + least + fixed(run.all.core_hours, 3) + " of trials";
  const double node_hours = packing.makespan_s / 3600 * run.machine.nodes;
  text += "\nheld        " + fixed(node_hours, 3) + " node-hours";
  if (run.machine.gpus_per_node > 0) {
    text += ", " + fixed(node_hours * run.machine.gpus_per_node, 3) + " GPU-hours";
  }
  return text + "\nfiles       " + least +
         (run.all.written_bytes > 0 ? bytes_text(run.all.written_bytes) : "0") + " written, " +
         (run.all.read_bytes > 0 ? bytes_text(run.all.read_bytes) : "0") + " read\n";
}

std::string queue_text(const QueuePlan& queue, const Experiment& experiment) {
  std::string text = "queue       " + std::to_string(queue.arrays) + " job array(s) with " +
                     std::to_string(queue.elements) + " element(s), and a job for the report; " +
                     std::to_string(queue.requeues) + " requeue(s) at the time limit\n";
  for (const std::string& id : queue.too_long) {
    text += "  " + label(experiment.trial(id)) + ", " + id +
            ": cannot stop and does not end within the time limit; raise `time`\n";
  }
  for (const std::string& name : queue.too_often) {
    text += "  array " + name + ": needs more requeues than `requeues` allows\n";
  }
  return text;
}

std::string not_measured_text(const PlannedRun& run) {
  std::vector<std::string> reasons;
  std::map<std::string, int> number;
  for (const Trial& trial : run.experiment.trials) {
    const Estimate& estimate = run.estimates.at(trial.id);
    if (!estimate.measured()) {
      const std::string reason = trial.stage + ": " + estimate.reason;
      if (++number[reason] == 1) {
        reasons.push_back(reason);
      }
    }
  }
  std::string text = reasons.empty() ? "" : "\nnot measured, and in none of the sums:\n";
  for (const std::string& reason : reasons) {
    text += "  " + std::to_string(number[reason]) + " of " + reason + "\n";
  }
  return text;
}

}  // namespace

std::string plan_text(const PlannedRun& run) {
  std::string text = "experiment " + run.experiment.name + " on " + machine_text(run.machine) +
                     "\n\n" + stage_table(run) + wall_text(run);
  text += run.queue ? queue_text(*run.queue, run.experiment) : "";
  text += not_measured_text(run) + "\n" + basis_text(run) + "\nassumptions:\n";
  for (const std::string& line : run.assumptions) {
    text += "  " + line + "\n";
  }
  return text + "\n" + error_text(run.error);
}

}  // namespace hepar::detail
