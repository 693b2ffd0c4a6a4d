#include "experiment/problems.h"
#include "experiment/stage_settings.h"
#include "hepar/core/error.h"
#include "hepar/core/yaml.h"
#include "hepar/pipeline/slurm.h"

namespace hepar {
namespace {

constexpr const char* kCommands = "commands";

void read_keys(const Json& map, const std::string& path, const YamlDocument& document,
               JobResources& resources, detail::Problems& problems) {
  ConfigSchema schema;
  resources.declare(schema);
  for (const auto& [key, value] : map.items()) {
    if (path.empty() && key == kCommands) {
      continue;
    }
    const std::string place = document.place(path + key);
    const std::string problem = value.is_object()
                                    ? place + ": '" + path + key + "' holds no keys"
                                    : detail::apply({key, value, place}, "a site file", schema);
    if (!problem.empty()) {
      problems.add(problem);
    }
  }
}

}  // namespace

void JobResources::declare(ConfigSchema& schema) {
  const auto text = [&](const char* name, std::string& field, const char* help) {
    schema.add(name, field, help, {}, Effect::kNone);
  };
  const auto count = [&](const char* name, std::int64_t& field, double low, const char* help) {
    schema.add(name, field, help, Range{.low = low}, Effect::kNone);
  };
  text("partition", partition, "Slurm partition");
  text("account", account, "Account to charge");
  text("qos", qos, "Quality of service");
  text("constraint", constraint, "Features that a node must have");
  text("time", time, "Time limit of one element; a training goes on in the next");
  text("memory", memory, "Of a node: 64G");
  count("nodes", nodes, 1, "Nodes of one element");
  count("ranks", ranks, 1, "MPI ranks of one element");
  count("cpus_per_rank", cpus_per_rank, 1, "Processors of a rank");
  count("gpus_per_node", gpus_per_node, 0, "GPUs of a node; a rank takes that of its local number");
  count("trials_per_element", trials_per_element, 1, "Trials that one element does in turn");
  count("throttle", throttle, 0, "Elements of an array that run at once; 0: all");
  count("signal_s", signal_s, 0, "Seconds before the limit when trainings save and stop");
  count("requeues", requeues, 0, "How often one element may be requeued");
  schema.add_choice("launcher", launcher, {"srun", "mpirun"}, "What starts the ranks",
                    Effect::kNone);
  text("container", container, "Words before the program: apptainer exec --nv hepar.sif");
  text("program", program, "Path of hepar; empty: the one that submits");
  schema.add("sbatch", sbatch, "More options of sbatch", {}, Effect::kNone);
  schema.add("setup", setup, "Lines of the script before the program", {}, Effect::kNone);
}

const JobResources& Site::of(const std::string& command) const {
  const auto found = commands.find(command);
  return found == commands.end() ? common : found->second;
}

Site read_site(const std::filesystem::path& file) {
  const YamlDocument document = read_yaml_document(file);
  detail::Problems problems;
  Site site;
  if (document.value.is_object()) {
    read_keys(document.value, "", document, site.common, problems);
    const Json commands = document.value.value(kCommands, Json::object());
    for (const auto& [command, keys] : commands.items()) {
      JobResources& resources = site.commands.emplace(command, site.common).first->second;
      if (keys.is_object()) {
        read_keys(keys, std::string(kCommands) + "." + command + ".", document, resources,
                  problems);
      }
    }
  }
  problems.throw_if_any();
  return site;
}

}  // namespace hepar
