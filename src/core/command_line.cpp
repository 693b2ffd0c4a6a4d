#include "hepar/core/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>

#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

namespace po = boost::program_options;

bool is_flag(const ConfigKey& key) { return key.path.find('.') == std::string::npos; }

std::string flag_name(const ConfigKey& key) {
  std::string name = key.path;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

po::options_description declare_flags(const ConfigSchema& schema) {
  po::options_description flags("options");
  flags.add_options()("config", po::value<std::string>()->value_name("FILE"),
                      "YAML file with any of the keys below")(
      "set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE")->composing(),
      "one key, after --config; may be repeated")(
      "dry-run", "check everything, say what would be done, write nothing")("help", "this text");
  for (const ConfigKey& key : schema.keys()) {
    if (is_flag(key)) {
      auto* value = po::value<std::string>();
      if (std::holds_alternative<bool>(key.initial)) {
        value->implicit_value("true");
      }
      flags.add_options()(flag_name(key).c_str(), value, key.help.c_str());
    }
  }
  return flags;
}

std::string usage(const CommandName& name, const ConfigSchema& schema,
                  const po::options_description& flags) {
  std::ostringstream text;
  text << name.program << " " << name.command << ": " << name.summary << "\n\n" << flags << "\n";
  if (std::any_of(schema.keys().begin(), schema.keys().end(),
                  [](const auto& key) { return !is_flag(key); })) {
    text << "keys for --config and --set:\n" << schema.help();
  }
  return text.str();
}

std::vector<std::string> flag_names(const ConfigSchema& schema) {
  std::vector<std::string> names{"config", "set", "dry-run", "help"};
  for (const ConfigKey& key : schema.keys()) {
    if (is_flag(key)) {
      names.push_back(flag_name(key));
    }
  }
  return names;
}

po::variables_map parse(const std::vector<std::string>& arguments, const CommandName& name,
                        const ConfigSchema& schema, const po::options_description& flags) {
  const std::string program = name.program + " " + name.command + ": ";
  try {
    po::variables_map values;
    // Guessing from a prefix would make "--out" mean two things the day a key "output" is added.
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    const auto parsed =
        po::command_line_parser(arguments).options(flags).positional({}).style(style).run();
    po::store(parsed, values);
    return values;
  } catch (const po::unknown_option& e) {
    std::string word = e.get_option_name();
    word.erase(0, word.find_first_not_of('-'));
    const std::string suggestion = nearest(word, flag_names(schema));
    throw ConfigError(program + "unknown flag '" + e.get_option_name() + "'" +
                      (suggestion.empty() ? "" : "; did you mean '--" + suggestion + "'?"));
  } catch (const po::error& e) {
    throw ConfigError(program + e.what() + "; see --help");
  }
}

}  // namespace

CommandAction parse_command(const CommandName& name, const std::vector<std::string>& arguments,
                            ConfigSchema& schema) {
  const po::options_description flags = declare_flags(schema);
  const po::variables_map values = parse(arguments, name, schema, flags);
  if (values.count("help") > 0) {
    log::print(usage(name, schema, flags));
    return CommandAction::kHelp;
  }
  if (values.count("config") > 0) {
    schema.read_yaml(values["config"].as<std::string>());
  }
  if (values.count("set") > 0) {
    for (const std::string& assignment : values["set"].as<std::vector<std::string>>()) {
      schema.set(assignment);
    }
  }
  for (const ConfigKey& key : schema.keys()) {
    if (is_flag(key) && values.count(flag_name(key)) > 0) {
      schema.set(key.path + "=" + values[flag_name(key)].as<std::string>());
    }
  }
  return values.count("dry-run") > 0 ? CommandAction::kDryRun : CommandAction::kRun;
}

}  // namespace hepar
