#include <map>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/prep/convert.h"
#include "sources/source.h"

namespace hepar {
namespace {

using Factory = std::unique_ptr<Source> (*)();

const std::map<std::string, Factory>& table() {
  static const std::map<std::string, Factory> kTable{
      {"amos", make_amos_source}, {"atlas", make_atlas_source},   {"chaos", make_chaos_source},
      {"liqa", make_liqa_source}, {"nnunet", make_nnunet_source}, {"table", make_table_source},
  };
  return kTable;
}

}  // namespace

std::string Source::describe(const std::vector<CaseListing>& /*cases*/) const { return {}; }

std::vector<std::string> known_sources() {
  std::vector<std::string> names;
  for (const auto& entry : table()) {
    names.push_back(entry.first);
  }
  return names;
}

std::unique_ptr<Source> make_source(const std::string& name) {
  const auto found = table().find(name);
  if (found != table().end()) {
    return found->second();
  }
  const std::string suggestion = nearest(name, known_sources());
  throw ConfigError("source: wanted one of " + join(known_sources(), ", ") + ", found '" + name +
                    "'" + (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?"));
}

}  // namespace hepar
