#include "hepar/core/yaml.h"

#include <yaml-cpp/yaml.h>

#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar {
namespace {

class Reader {
 public:
  explicit Reader(YamlDocument& document) : document_(document) {}

  Json read(const YAML::Node& node, const std::string& path) {
    if (node.IsMap()) {
      return read_map(node, path);
    }
    if (node.IsSequence()) {
      Json items = Json::array();
      for (const YAML::Node& item : node) {
        items.push_back(read(item, path));
      }
      return items;
    }
    return node.IsScalar() ? Json(node.Scalar()) : Json(nullptr);
  }

 private:
  Json read_map(const YAML::Node& node, const std::string& path) {
    Json object = Json::object();
    for (const auto& entry : node) {
      const std::string key = entry.first.as<std::string>();
      const std::string inner = path.empty() ? key : path + "." + key;
      const int line = entry.first.Mark().line + 1;
      require<ConfigError>(!object.contains(key), document_.where + ":" + std::to_string(line) +
                                                      ": key '" + inner + "' is given twice");
      document_.lines.emplace(inner, line);
      object[key] = read(entry.second, inner);
    }
    return object;
  }

  YamlDocument& document_;
};

}  // namespace

std::string YamlDocument::place(const std::string& path) const {
  const auto found = lines.find(path);
  return found == lines.end() ? where : where + ":" + std::to_string(found->second);
}

YamlDocument parse_yaml_document(const std::string& text, const std::string& where) {
  YamlDocument document;
  document.where = where;
  try {
    document.value = Reader(document).read(YAML::Load(text), "");
  } catch (const YAML::Exception& e) {
    throw ConfigError(where + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
  return document;
}

YamlDocument read_yaml_document(const std::filesystem::path& path) {
  try {
    return parse_yaml_document(read_text(path), path.string());
  } catch (const DataError& e) {
    throw ConfigError(e.what());
  }
}

}  // namespace hepar
