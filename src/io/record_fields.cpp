#include "record_fields.h"

#include <algorithm>
#include <set>

namespace hepar {

std::array<int, 3> axes_from_json(const JsonFields& fields, const std::string& key) {
  const std::vector<std::int64_t> axes = fields.integers(key, 3, {0, 2});
  if (std::set<std::int64_t>(axes.begin(), axes.end()).size() != 3) {
    fields.fail(key, "each of 0, 1 and 2 once");
  }
  return {static_cast<int>(axes[0]), static_cast<int>(axes[1]), static_cast<int>(axes[2])};
}

std::array<bool, 3> flips_from_json(const JsonFields& fields, const std::string& key) {
  const Json& flips = fields.array(key);
  if (flips.size() != 3 ||
      !std::all_of(flips.begin(), flips.end(), [](const Json& f) { return f.is_boolean(); })) {
    fields.fail(key, "a list of 3 booleans");
  }
  return {flips[0].get<bool>(), flips[1].get<bool>(), flips[2].get<bool>()};
}

std::string label_kind_from_json(const JsonFields& fields, const std::string& key) {
  std::string label = fields.text(key);
  if (label != "manual" && label != "pseudo" && label != "none") {
    fields.fail(key, "manual, pseudo or none");
  }
  return label;
}

}  // namespace hepar
