#include <hepar/plan/plan.h>
#include <hepar/plan/planner.h>

#include <yaml-cpp/yaml.h>

#include <functional>

#include "reasons.h"

namespace hepar {

namespace {

template <class Values>
void emit_list(YAML::Emitter& out, const Values& values) {
  out << YAML::Flow << YAML::BeginSeq;
  for (const auto& value : values) {
    out << value;
  }
  out << YAML::EndSeq;
}

void emit_three(YAML::Emitter& out, SizeVox size) {
  emit_list(out, std::array<std::int64_t, 3>{size.z, size.y, size.x});
}

// Shortest form that reads back to the same bits; yaml-cpp's own could lose the last digit.
void emit_three(YAML::Emitter& out, SpacingMm spacing) {
  emit_list(out,
            std::array<std::string, 3>{text_of(spacing.z), text_of(spacing.y), text_of(spacing.x)});
}

void emit_triples(YAML::Emitter& out, const std::vector<std::array<std::int64_t, 3>>& triples) {
  out << YAML::Flow << YAML::BeginSeq;
  for (const auto& triple : triples) {
    emit_list(out, triple);
  }
  out << YAML::EndSeq;
}

void emit_texts(YAML::Emitter& out, const std::vector<std::string>& texts) {
  out << YAML::Flow << YAML::BeginSeq;
  for (const std::string& text : texts) {
    out << YAML::DoubleQuoted << text;
  }
  out << YAML::EndSeq;
}

void emit_normalization(YAML::Emitter& out, const std::vector<Normalization>& rules) {
  out << YAML::BeginSeq;
  for (const Normalization& rule : rules) {
    out << YAML::Flow << YAML::BeginMap << YAML::Key << "kind" << YAML::Value
        << to_string(rule.kind);
    if (rule.kind == NormalizationKind::kCt) {
      out << YAML::Key << "mean" << YAML::Value << text_of(rule.mean);
      out << YAML::Key << "std" << YAML::Value << text_of(rule.std);
      out << YAML::Key << "percentile_00_5" << YAML::Value << text_of(rule.percentile_00_5);
      out << YAML::Key << "percentile_99_5" << YAML::Value << text_of(rule.percentile_99_5);
    }
    out << YAML::EndMap;
  }
  out << YAML::EndSeq;
}

// Key and value writers, in the file's order; `show` and the table share them.
using Writer = std::function<void(YAML::Emitter&)>;

std::vector<std::pair<std::string, Writer>> writers(const Plan& plan) {
  using Out = YAML::Emitter;
  return {
      {"spacing_mm", [&](Out& out) { emit_three(out, plan.spacing_mm); }},
      {"median_shape", [&](Out& out) { emit_three(out, plan.median_shape); }},
      {"patch_size", [&](Out& out) { emit_three(out, plan.patch_size); }},
      {"batch_size", [&](Out& out) { out << plan.batch_size; }},
      {"strides", [&](Out& out) { emit_triples(out, plan.strides); }},
      {"kernels", [&](Out& out) { emit_triples(out, plan.kernels); }},
      {"features", [&](Out& out) { emit_list(out, plan.features); }},
      {"normalization", [&](Out& out) { emit_normalization(out, plan.normalization); }},
      {"channels", [&](Out& out) { emit_texts(out, plan.channels); }},
      {"classes", [&](Out& out) { emit_texts(out, plan.classes); }},
      {"transpose", [&](Out& out) { emit_list(out, plan.transpose); }},
      {"architecture", [&](Out& out) { out << plan.architecture; }},
      {"blocks_per_stage", [&](Out& out) { emit_list(out, plan.blocks_per_stage); }},
      {"convs_per_decoder_level", [&](Out& out) { emit_list(out, plan.convs_per_decoder_level); }},
      {"batch_dice", [&](Out& out) { out << plan.batch_dice; }},
      {"shards", [&](Out& out) { out << plan.shards; }},
  };
}

}  // namespace

std::string to_yaml(const Plan& plan) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const auto& [key, write] : writers(plan)) {
    out << YAML::Key << key << YAML::Value;
    write(out);
  }
  if (!plan.reasons.empty()) {
    out << YAML::Key << "reasons" << YAML::Value << YAML::BeginMap;
    for (const auto& [key, reason] : plan.reasons) {
      out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << reason;
    }
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::vector<std::vector<std::string>> describe_plan(const Plan& plan) {
  std::vector<std::vector<std::string>> rows{{"key", "value", "why"}};
  for (const auto& [key, write] : writers(plan)) {
    YAML::Emitter out;
    out.SetMapFormat(YAML::Flow);
    out.SetSeqFormat(YAML::Flow);
    write(out);
    const auto reason = plan.reasons.find(key);
    rows.push_back({key, out.c_str(), reason == plan.reasons.end() ? "" : reason->second});
  }
  return rows;
}

}  // namespace hepar
