#include <hepar/pipeline/postprocess.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/log.h>
#include <hepar/core/parallel.h>
#include <hepar/core/version.h>
#include <hepar/image/components.h>
#include <hepar/pipeline/prediction_lineage.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "mask_pairs.h"

namespace hepar {
namespace {

constexpr int kFormat = 1;

void keep_largest(LabelImage& labels, std::int64_t label) {
  std::vector<std::uint8_t> mask(labels.voxels.size());
  std::transform(labels.voxels.begin(), labels.voxels.end(), mask.begin(), [&](std::int16_t v) {
    const bool wanted = label == PostprocessRule::kForeground ? v > 0 : v == label;
    return static_cast<std::uint8_t>(wanted);
  });
  const std::vector<std::uint8_t> before = mask;
  keep_largest_component(mask, labels.grid.size);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    labels.voxels[i] = mask[i] != before[i] ? std::int16_t{0} : labels.voxels[i];
  }
}

/// Voxels of one label in both masks, in the prediction and in the reference.
struct Overlap {
  std::int64_t both = 0, predicted = 0, wanted = 0;
};

using Overlaps = std::map<std::int64_t, Overlap>;

Overlaps overlaps_of(const LabelImage& prediction, const LabelImage& reference) {
  Overlaps result;
  for (std::size_t i = 0; i < prediction.voxels.size(); ++i) {
    const std::int16_t p = prediction.voxels[i], r = reference.voxels[i];
    if (p > 0) {
      ++result[p].predicted;
    }
    if (r > 0) {
      ++result[r].wanted;
    }
    if (p > 0 && p == r) {
      ++result[p].both;
    }
  }
  return result;
}

/// Mean Dice of each label over the cases where it is in either mask.
using LabelDice = std::map<std::int64_t, double>;

LabelDice mean_dice(const std::vector<Overlaps>& cases) {
  std::map<std::int64_t, std::pair<double, int>> sums;
  for (const Overlaps& overlaps : cases) {
    for (const auto& [label, overlap] : overlaps) {
      auto& [sum, n] = sums[label];
      sum += 2.0 * static_cast<double>(overlap.both) /
             static_cast<double>(overlap.predicted + overlap.wanted);
      ++n;
    }
  }
  LabelDice dice;
  for (const auto& [label, sum] : sums) {
    dice[label] = sum.first / sum.second;
  }
  return dice;
}

double foreground_mean(const LabelDice& dice) {
  double sum = 0;
  for (const auto& [label, value] : dice) {
    sum += value;
  }
  return dice.empty() ? 0 : sum / static_cast<double>(dice.size());
}

Json table_of(const LabelDice& dice) {
  Json json{{"mean", foreground_mean(dice)}};
  for (const auto& [label, number] : dice) {
    json[std::to_string(label)] = number;
  }
  return json;
}

/// Dice of all pairs after the rule.
LabelDice score_pairs(detail::MaskPairing& pairing, const PostprocessRule& rule, int threads) {
  std::vector<Overlaps> cases(pairing.pairs.size());
  detail::for_each_pair(pairing, threads, [&](std::size_t i) {
    detail::LoadedPair pair = detail::load_pair(pairing.pairs[i]);
    apply_rule(rule, pair.prediction);
    cases[i] = overlaps_of(pair.prediction, pair.reference);
  });
  detail::refuse_problems(pairing, "postprocess");
  return mean_dice(cases);
}

int threads_of(const PostprocessConfig& config) {
  return config.threads == 0 ? usable_processors() : static_cast<int>(config.threads);
}

/// The pairs, none of which the predictions' models were trained on.
detail::MaskPairing unseen_pairs(const PostprocessConfig& config) {
  detail::MaskPairing pairing = detail::pair_masks(config.pred, config.ref);
  std::vector<std::string> names;
  for (const detail::MaskPair& pair : pairing.pairs) {
    names.push_back(pair.id);
  }
  check_prediction_lineage(config.pred, names);
  detail::refuse_problems(pairing, "postprocess");
  return pairing;
}

/// Scores candidate rules on all pairs, reading each pair once a candidate.
class Fit {
 public:
  explicit Fit(const PostprocessConfig& config)
      : pairing_(unseen_pairs(config)), threads_(threads_of(config)) {
    dice_ = score_pairs(pairing_, rule_, threads_);
    std::vector<std::int64_t> labels;
    for (const auto& [label, unused] : dice_) {
      labels.push_back(label);
    }
    consider(PostprocessRule::kForeground, [&](const LabelDice& after) {
      return foreground_mean(after) > foreground_mean(dice_) &&
             std::all_of(labels.begin(), labels.end(), [&](std::int64_t label) {
               return value(after, label) >= value(dice_, label);
             });
    });
    for (const std::int64_t label : labels) {
      if (labels.size() > 1) {
        consider(label,
                 [&](const LabelDice& after) { return value(after, label) > value(dice_, label); });
      }
    }
  }

  [[nodiscard]] const detail::MaskPairing& pairing() const { return pairing_; }
  [[nodiscard]] const PostprocessRule& rule() const { return rule_; }
  [[nodiscard]] const Json& decisions() const { return decisions_; }

 private:
  static double value(const LabelDice& dice, std::int64_t label) {
    const auto found = dice.find(label);
    return found == dice.end() ? 0 : found->second;
  }

  template <class Accept>
  void consider(std::int64_t label, const Accept& accept) {
    PostprocessRule candidate = rule_;
    candidate.keep_largest.push_back(label);
    const LabelDice after = score_pairs(pairing_, candidate, threads_);
    const bool accepted = accept(after);
    decisions_.push_back({{"keep_largest", label},
                          {"accepted", accepted},
                          {"dice_before", table_of(dice_)},
                          {"dice_after", table_of(after)}});
    if (accepted) {
      rule_ = candidate;
      dice_ = after;
    }
  }

  detail::MaskPairing pairing_;
  int threads_;
  PostprocessRule rule_;
  LabelDice dice_;
  Json decisions_ = Json::array();
};

/// The scored cases as the predictions' lineage knows them.
Lineage lineage_of(const PostprocessConfig& config, const detail::MaskPairing& pairing) {
  std::map<std::string, CaseIdentity> known;
  for (const PredictionGroup& group : read_prediction_lineage(config.pred)) {
    for (const PredictedCase& item : group.cases) {
      known[item.name] = item.identity;
    }
  }
  Lineage lineage;
  for (const detail::MaskPair& pair : pairing.pairs) {
    const auto found = known.find(pair.id);
    lineage.add(found == known.end() ? CaseIdentity{.cohort = "", .case_id = pair.id, .images = {}}
                                     : found->second,
                CaseUse::kMask);
  }
  return lineage;
}

std::string step_name(std::int64_t label) {
  return label == PostprocessRule::kForeground ? "the whole foreground"
                                               : "label " + std::to_string(label);
}

}  // namespace

void PostprocessConfig::declare(ConfigSchema& schema) {
  schema.add("pred", pred, "Folder of out-of-fold masks (NIfTI)", {}, Effect::kNone);
  schema.add("ref", ref, "Folder of reference masks (NIfTI), same file names", {}, Effect::kNone);
  schema.add("out", out, "postprocessing.json to write", {}, Effect::kNone);
  schema.add("threads", threads, "Cases looked at side by side; 0: all processors", Range{.low = 0},
             Effect::kNone);
}

void apply_rule(const PostprocessRule& rule, LabelImage& labels) {
  for (const std::int64_t label : rule.keep_largest) {
    keep_largest(labels, label);
  }
}

PostprocessRule read_postprocess_rule(const std::filesystem::path& file) {
  const Json json = read_json(file);
  const auto format = json_get<int>(json, "format", file.string());
  require<DataError>(format == kFormat,
                     file.string() + ": wanted format 1, found " + std::to_string(format));
  PostprocessRule rule;
  rule.keep_largest = json_get<std::vector<std::int64_t>>(json, "keep_largest", file.string());
  for (const std::int64_t label : rule.keep_largest) {
    require<DataError>(label >= 0 && label <= INT16_MAX,
                       file.string() +
                           ": key 'keep_largest': wanted 0 (the foreground) or a "
                           "label, found " +
                           std::to_string(label));
  }
  rule.lineage = Lineage::from_json(json_get<Json>(json, "uses", file.string()), file.string());
  return rule;
}

Json label_dice(const PostprocessConfig& config) {
  detail::MaskPairing pairing = unseen_pairs(config);
  return table_of(score_pairs(pairing, {}, threads_of(config)));
}

Json fit_postprocessing(const PostprocessConfig& config) {
  const Fit fit(config);
  return {{"format", kFormat},
          {"keep_largest", fit.rule().keep_largest},
          {"connectivity", 26},
          {"decisions", fit.decisions()},
          {"cases", fit.pairing().pairs.size()},
          {"uses", lineage_of(config, fit.pairing()).to_json()},
          {"hepar", version()}};
}

void postprocess(const PostprocessConfig& config, bool dry_run) {
  const std::vector<std::pair<const char*, const std::string*>> paths{
      {"pred", &config.pred}, {"ref", &config.ref}, {"out", &config.out}};
  for (const auto& [name, value] : paths) {
    require<ConfigError>(!value->empty(), std::string("postprocess: --") + name + " is missing");
  }
  if (dry_run) {
    const detail::MaskPairing pairing = detail::pair_masks(config.pred, config.ref);
    detail::refuse_problems(pairing, "postprocess");
    log::print("postprocess: would fit on " + std::to_string(pairing.pairs.size()) +
               " pair(s) and write " + config.out);
    return;
  }
  make_writable_directory(fs::absolute(config.out).parent_path());
  const Json document = fit_postprocessing(config);
  write_json(config.out, document);
  for (const Json& decision : document["decisions"]) {
    char line[160];
    std::snprintf(line, sizeof(line), "largest component of %s: mean Dice %.4f -> %.4f, %s",
                  step_name(decision["keep_largest"].get<std::int64_t>()).c_str(),
                  decision["dice_before"]["mean"].get<double>(),
                  decision["dice_after"]["mean"].get<double>(),
                  decision["accepted"].get<bool>() ? "kept" : "not kept");
    log::print(line);
  }
}

}  // namespace hepar
