#include "commands.h"

#include "hepar/comm/together.h"
#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/prep/convert.h"
#include "hepar/prep/prepare.h"
#include "hepar/prep/sets.h"
#include "phantom/phantom_command.h"

namespace hepar {
namespace {

using Arguments = std::vector<std::string>;

struct Command {
  std::string name;
  std::string summary;
  std::string positional;  ///< the flag a first bare word stands for; empty for none
  void (*run)(const Command& command, const Arguments& arguments, Communicator& ranks);
};

/// `verify SET` is `verify --data SET`.
Arguments with_flag(const Command& command, Arguments arguments) {
  if (!command.positional.empty() && !arguments.empty() && !arguments.front().starts_with("-")) {
    arguments.insert(arguments.begin(), command.positional);
  }
  return arguments;
}

/// Fills `config` on every rank from the same words; help is printed once.
template <class Config>
CommandAction parse(const Command& command, const Arguments& arguments, Config& config,
                    Communicator& ranks) {
  CommandAction action = CommandAction::kRun;
  together(ranks, [&] {
    Arguments words = with_flag(command, arguments);
    const bool help = std::find(words.begin(), words.end(), "--help") != words.end();
    if (help && !ranks.is_root()) {
      action = CommandAction::kHelp;
      return;
    }
    ConfigSchema schema;
    config.declare(schema);
    action = parse_command({"hepar-prep", command.name, command.summary}, words, schema);
  });
  return action;
}

/// A command without a dry run of its own has nothing to check beyond its arguments.
template <class Config>
void run_simple(const Command& command, const Arguments& arguments, Communicator& ranks,
                void (*work)(const Config&, Communicator&)) {
  Config config;
  if (parse(command, arguments, config, ranks) == CommandAction::kRun) {
    work(config, ranks);
  }
}

template <class Config>
void run_dry_or_wet(const Command& command, const Arguments& arguments, Communicator& ranks,
                    void (*work)(const Config&, Communicator&)) {
  Config config;
  const CommandAction action = parse(command, arguments, config, ranks);
  config.dry_run = action == CommandAction::kDryRun;
  if (action != CommandAction::kHelp) {
    work(config, ranks);
  }
}

void inspect_on_root(const InspectConfig& config, Communicator& ranks) {
  together(ranks, [&] {
    if (ranks.is_root()) {
      inspect(config);
    }
  });
}

const std::vector<Command>& table() {
  static const std::vector<Command> kTable{
      {"phantom", "write a synthetic cohort in the real data sets' layouts", "",
       [](const Command&, const Arguments& words, Communicator& ranks) {
         together(ranks, [&] {
           if (ranks.is_root()) {
             run_phantom_command(words);
           }
         });
       }},
      {"convert", "files of a data set -> a cohort of checked shards", "",
       [](const Command& command, const Arguments& words, Communicator& ranks) {
         run_dry_or_wet<ConvertConfig>(command, words, ranks, convert);
       }},
      {"prepare", "cohort + plan -> a set that training reads", "",
       [](const Command& command, const Arguments& words, Communicator& ranks) {
         run_dry_or_wet<PrepareConfig>(command, words, ranks, prepare);
       }},
      {"verify", "read a set again and compare all hashes", "--data",
       [](const Command& command, const Arguments& words, Communicator& ranks) {
         run_simple<VerifyConfig>(command, words, ranks, verify);
       }},
      {"inspect", "say what image files or a set hold, or why they are refused", "--in",
       [](const Command& command, const Arguments& words, Communicator& ranks) {
         run_simple<InspectConfig>(command, words, ranks, inspect_on_root);
       }},
      {"export", "a set -> NIfTI files", "--data",
       [](const Command& command, const Arguments& words, Communicator& ranks) {
         run_simple<ExportConfig>(command, words, ranks, export_set);
       }},
  };
  return kTable;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : table()) {
    names.push_back(command.name);
  }
  return names;
}

std::string help() {
  std::vector<std::vector<std::string>> rows{{"command", "what it does"}};
  for (const Command& command : table()) {
    rows.push_back({command.name, command.summary});
  }
  return "hepar-prep " + version() + ": medical images on disk -> shards\n\n" + format_table(rows) +
         "\nhepar-prep COMMAND --help says more; any command runs under mpirun or srun.";
}

}  // namespace

void run_prep(const std::vector<std::string>& arguments, Communicator& ranks) {
  const bool wants_help = arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
                          arguments[0] == "help";
  if (wants_help && !arguments.empty()) {
    if (ranks.is_root()) {
      log::print(help());
    }
    return;
  }
  const std::string name = arguments.empty() ? "" : arguments[0];
  for (const Command& command : table()) {
    if (command.name == name) {
      command.run(command, {arguments.begin() + 1, arguments.end()}, ranks);
      return;
    }
  }
  const std::string suggestion = nearest(name, command_names());
  throw AgreedError("hepar-prep: wanted a command (" + join(command_names(), ", ") + "), found '" +
                        name + "'" +
                        (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?"),
                    ExitCode::kUsage);
}

}  // namespace hepar
