#include <hepar/plan/plan.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/hash.h>
#include <hepar/core/text.h>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <type_traits>

#include "plan_check.h"
#include "reasons.h"

namespace hepar {

namespace {

const std::vector<std::string> kKeys{"spacing_mm",       "median_shape",
                                     "patch_size",       "batch_size",
                                     "strides",          "kernels",
                                     "features",         "normalization",
                                     "channels",         "classes",
                                     "transpose",        "architecture",
                                     "blocks_per_stage", "convs_per_decoder_level",
                                     "batch_dice",       "shards",
                                     "reasons"};

// Typed access to one key of a mapping; every complaint names file, line and key.
class Field {
 public:
  Field(YAML::Node node, std::string key, const std::string& where)
      : node_(std::move(node)), key_(std::move(key)), where_(where) {}

  [[noreturn]] void fail(const std::string& wanted) const {
    const YAML::Mark mark = node_.Mark();
    const std::string line = mark.is_null() ? "" : ":" + std::to_string(mark.line + 1);
    std::string found = "a mapping";
    if (node_.IsScalar()) {
      found = "'" + node_.Scalar() + "'";
    } else if (node_.IsSequence()) {
      found = "a list of " + std::to_string(node_.size());
    } else if (node_.IsNull()) {
      found = "nothing";
    }
    throw DataError(where_ + line + ": key '" + key_ + "': wanted " + wanted + ", found " + found);
  }

  template <class T>
  [[nodiscard]] T as(const std::string& wanted) const {
    T value{};
    if (!node_.IsScalar() || !YAML::convert<T>::decode(node_, value)) {
      fail(wanted);
    }
    return value;
  }

  template <class T>
  [[nodiscard]] std::vector<T> list(const std::string& wanted) const {
    std::vector<T> values;
    for (const Field& item : items("a list: " + wanted)) {
      values.push_back(item.as<T>(wanted));
    }
    return values;
  }

  [[nodiscard]] std::vector<Field> items(const std::string& wanted) const {
    if (!node_.IsSequence()) {
      fail(wanted);
    }
    std::vector<Field> fields;
    for (std::size_t i = 0; i < node_.size(); ++i) {
      fields.emplace_back(node_[i], key_ + "[" + std::to_string(i) + "]", where_);
    }
    return fields;
  }

  template <class Three>
  [[nodiscard]] Three three(const std::string& wanted) const {
    using T = std::remove_cvref_t<decltype(std::declval<Three&>()[0])>;
    const std::vector<T> values = list<T>(wanted);
    if (values.size() != 3) {
      fail("three " + wanted);
    }
    Three result{};
    for (int i = 0; i < 3; ++i) {
      result[i] = values[static_cast<std::size_t>(i)];
    }
    return result;
  }

  [[nodiscard]] const YAML::Node& node() const { return node_; }

 private:
  YAML::Node node_;
  std::string key_;
  const std::string& where_;
};

// A mapping whose keys are all known and given once; `required` ones must be there.
class Mapping {
 public:
  Mapping(const Field& field, const std::vector<std::string>& known, const std::string& where)
      : node_(field.node()), where_(where) {
    if (!node_.IsMap()) {
      field.fail("a mapping with the keys " + join(known, ", "));
    }
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      const std::string key = entry.first.as<std::string>();
      const Field value(entry.second, key, where_);
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        const std::string near = nearest(key, known);
        throw DataError(where_ + ":" + std::to_string(entry.first.Mark().line + 1) +
                        ": unknown key '" + key + "'" +
                        (near.empty() ? "" : "; did you mean '" + near + "'?"));
      }
      if (!seen.insert(key).second) {
        throw DataError(where_ + ": key '" + key + "' is given twice");
      }
    }
  }

  [[nodiscard]] bool has(const std::string& key) const { return static_cast<bool>(node_[key]); }

  [[nodiscard]] Field at(const std::string& key) const {
    if (!has(key)) {
      throw DataError(where_ + ": key '" + key + "' is missing; make the file with `hepar plan`");
    }
    return {node_[key], key, where_};
  }

 private:
  YAML::Node node_;
  const std::string& where_;
};

std::vector<std::array<std::int64_t, 3>> read_triples(const Field& field) {
  std::vector<std::array<std::int64_t, 3>> triples;
  for (const Field& item : field.items("a list with three whole numbers a stage")) {
    triples.push_back(item.three<std::array<std::int64_t, 3>>("whole numbers"));
  }
  return triples;
}

std::vector<Normalization> read_normalization(const Field& field, const std::string& where) {
  static const std::vector<std::string> kNormalizationKeys{"kind", "mean", "std", "percentile_00_5",
                                                           "percentile_99_5"};
  std::vector<Normalization> rules;
  for (const Field& item : field.items("a list with one mapping a channel")) {
    const Mapping map(item, kNormalizationKeys, where);
    Normalization rule;
    rule.kind =
        normalization_kind_from(map.at("kind").as<std::string>("text"), where + ": normalization");
    if (rule.kind == NormalizationKind::kCt) {
      rule.mean = map.at("mean").as<double>("a number");
      rule.std = map.at("std").as<double>("a number");
      rule.percentile_00_5 = map.at("percentile_00_5").as<double>("a number");
      rule.percentile_99_5 = map.at("percentile_99_5").as<double>("a number");
    }
    rules.push_back(rule);
  }
  return rules;
}

std::map<std::string, std::string> read_reasons(const Field& field, const std::string& where) {
  std::map<std::string, std::string> reasons;
  if (!field.node().IsMap()) {
    field.fail("a mapping of texts");
  }
  for (const auto& entry : field.node()) {
    const std::string key = entry.first.as<std::string>();
    reasons[key] = Field(entry.second, "reasons." + key, where).as<std::string>("text");
  }
  return reasons;
}

Plan plan_from(const Mapping& map, const std::string& where) {
  const std::string whole = "whole numbers";
  Plan plan;
  plan.spacing_mm = map.at("spacing_mm").three<SpacingMm>("numbers (mm)");
  plan.median_shape = map.at("median_shape").three<SizeVox>(whole);
  plan.patch_size = map.at("patch_size").three<SizeVox>(whole);
  plan.batch_size = map.at("batch_size").as<std::int64_t>("a whole number");
  plan.strides = read_triples(map.at("strides"));
  plan.kernels = read_triples(map.at("kernels"));
  plan.features = map.at("features").list<std::int64_t>(whole);
  plan.normalization = read_normalization(map.at("normalization"), where);
  plan.channels = map.at("channels").list<std::string>("text");
  plan.classes = map.at("classes").list<std::string>("text");
  plan.transpose = map.at("transpose").three<std::array<int, 3>>(whole);
  plan.architecture = map.at("architecture").as<std::string>("plain or resenc");
  plan.blocks_per_stage = map.at("blocks_per_stage").list<std::int64_t>(whole);
  plan.convs_per_decoder_level = map.at("convs_per_decoder_level").list<std::int64_t>(whole);
  plan.batch_dice = map.at("batch_dice").as<bool>("true or false");
  plan.shards = map.at("shards").as<std::int64_t>("a whole number");
  if (map.has("reasons")) {
    plan.reasons = read_reasons(map.at("reasons"), where);
  }
  return plan;
}

}  // namespace

Plan parse_plan(const std::string& yaml, const std::string& where) {
  try {
    const Field root(YAML::Load(yaml), "(whole file)", where);
    const Plan plan = plan_from(Mapping(root, kKeys, where), where);
    check_plan(plan, where);
    return plan;
  } catch (const YAML::Exception& e) {
    throw DataError(where + ": not YAML: " + e.what());
  }
}

Plan read_plan(const std::filesystem::path& path) {
  return parse_plan(read_text(path), path.string());
}

std::string plan_hash(const Plan& plan) {
  Plan bare = plan;
  bare.reasons.clear();
  return to_hex(xxh64(to_yaml(bare)));
}

}  // namespace hepar
