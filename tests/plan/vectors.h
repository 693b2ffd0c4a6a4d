#pragma once
#include <hepar/core/json.h>

#include <cstddef>
#include <filesystem>
#include <vector>

namespace hepar::test {

/// What tests/oracle/plan.py wrote.
inline const Json& plan_vectors() {
  static const Json vectors = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "plan.json");
  return vectors;
}

template <class Three>
Three three(const Json& json) {
  Three value{};
  int i = 0;
  for (const Json& item : json) {
    item.get_to(value[i++]);
  }
  return value;
}

template <class Three>
std::vector<Three> threes(const Json& json) {
  std::vector<Three> values;
  for (const Json& item : json) {
    values.push_back(three<Three>(item));
  }
  return values;
}

}  // namespace hepar::test
