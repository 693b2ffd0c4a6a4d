#include <hepar/pipeline/plan_command.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/log.h>
#include <hepar/core/parallel.h>
#include <hepar/core/text.h>
#include <hepar/plan/planner.h>

#include <algorithm>
#include <set>

namespace hepar {

namespace {

constexpr double kMaskedNormBelow =
    0.75;  // nnU-Net: median crop ratio under which z-score leaves the rim out

template <class Three, class T>
Three three(const std::vector<T>& values, const std::string& key) {
  require<ConfigError>(values.size() == 3, key + ": wanted three numbers z,y,x, found " +
                                               std::to_string(values.size()));
  return {values[0], values[1], values[2]};
}

void check_mode(const PlanCommandConfig& config) {
  const bool numbers =
      !config.spacing.empty() || !config.shape.empty() || config.cases > 0 || config.classes > 0;
  if (!config.data.empty()) {
    require<ConfigError>(!numbers,
                         "data: spacing, shape, cases and classes are taken from the cohort; give "
                         "either --data or these");
    return;
  }
  require<ConfigError>(
      !config.spacing.empty() && !config.shape.empty() && config.cases > 0 && config.classes > 0,
      "plan: wanted --data COHORT, or all of --spacing z,y,x --shape z,y,x --cases N --classes K");
  require<ConfigError>(config.classes >= 2,
                       "classes: wanted at least 2 (the background counts), found " +
                           std::to_string(config.classes));
  require<ConfigError>(config.fingerprint.empty(),
                       "fingerprint: needs --data, there is nothing to measure");
}

PlanOverrides overrides_of(const PlanCommandConfig& config) {
  PlanOverrides overrides;
  if (!config.target_spacing.empty()) {
    overrides.target_spacing = three<SpacingMm>(config.target_spacing, "target_spacing");
  }
  if (!config.patch.empty()) {
    overrides.patch_size = three<SizeVox>(config.patch, "patch");
  }
  const auto given = [](std::int64_t value) {
    return value > 0 ? std::optional<std::int64_t>(value) : std::nullopt;
  };
  overrides.batch_size = given(config.batch);
  overrides.base_features = given(config.base_features);
  overrides.max_features = given(config.max_features);
  return overrides;
}

std::vector<std::string> class_names(const Manifest& manifest) {
  std::vector<std::pair<int, std::string>> labels;
  for (const auto& [name, value] : manifest.labels) {
    if (value > 0 && name != "ignore") {  // voxels nobody is asked about are no class
      labels.emplace_back(value, name);
    }
  }
  std::sort(labels.begin(), labels.end());
  std::vector<std::string> names{"background"};
  for (const auto& [value, name] : labels) {
    require<DataError>(value == static_cast<int>(names.size()),
                       "manifest.json: labels: wanted consecutive values from 1, found '" + name +
                           "' = " + std::to_string(value));
    names.push_back(name);
  }
  require<DataError>(names.size() >= 2,
                     "manifest.json: labels: wanted at least one label, found none; a cohort "
                     "without masks cannot be planned for segmentation");
  return names;
}

// The channel's name: the one sequence there is, or all that are pooled into it.
std::vector<std::string> channel_names(const PlanCommandConfig& config, const Manifest& manifest) {
  if (!config.channels.empty()) {
    return config.channels;
  }
  std::set<std::string> names;
  for (const SelectedSample& sample : select_samples(manifest, config.select, {})) {
    names.insert(sample.channels.front()->sequence);
  }
  return {join({names.begin(), names.end()}, "+")};
}

Normalization rule_for(const std::string& channel, const ChannelStatistics& statistics,
                       double crop_ratio) {
  const std::string name = to_lower(channel);
  if (name == "ct") {
    require<DataError>(
        statistics.drawn > 0,
        "channel '" + channel +
            "': CT normalisation needs foreground intensities of cases with masks, found none");
    return {NormalizationKind::kCt, statistics.mean, statistics.std, statistics.percentile_00_5,
            statistics.percentile_99_5};
  }
  if (name == "nonorm") {
    return {.kind = NormalizationKind::kNone};
  }
  if (name == "rescale_to_0_1") {
    return {.kind = NormalizationKind::kRescale01};
  }
  return {.kind = crop_ratio < kMaskedNormBelow ? NormalizationKind::kZScoreMasked
                                                : NormalizationKind::kZScore};
}

std::string normalization_reason(double crop_ratio) {
  const std::string percent = std::to_string(static_cast<int>(crop_ratio * 100 + 0.5)) + " %";
  return "by the channel's name, as nnU-Net; the crop to the non-zero region keeps " + percent +
         " of the voxels (median), so z-score is over " +
         (crop_ratio < kMaskedNormBelow ? "the non-zero region only (under 75 %)"
                                        : "the whole crop");
}

PlanRequest request_from_numbers(const PlanCommandConfig& config) {
  PlanRequest request;
  request.spacing = three<SpacingMm>(config.spacing, "spacing");
  request.median_shape = three<SizeVox>(config.shape, "shape");
  request.cases = config.cases;
  if (!config.channels.empty()) {
    request.channels = config.channels;
  }
  for (const std::string& channel : request.channels) {
    request.normalization.push_back(rule_for(channel, {}, 1.0));
  }
  request.classes = {"background"};
  for (std::int64_t label = 1; label < config.classes; ++label) {
    request.classes.push_back("label" + std::to_string(label));
  }
  return request;
}

PlanRequest request_from_cohort(const PlanCommandConfig& config, Fingerprint& fingerprint) {
  const Manifest manifest = read_manifest(config.data);
  PlanRequest request;
  request.classes = class_names(manifest);
  request.channels = channel_names(config, manifest);
  fingerprint = take_fingerprint(
      {.cohort = config.data,
       .selection = config.select,
       .channels = config.channels,
       .seed = config.seed,
       .threads = config.threads > 0 ? static_cast<int>(config.threads) : usable_processors()});
  request.spacings = fingerprint.spacings;
  request.sizes = fingerprint.sizes;
  request.cases = static_cast<std::int64_t>(fingerprint.ids.size());
  for (std::size_t c = 0; c < request.channels.size(); ++c) {
    request.normalization.push_back(
        rule_for(request.channels[c], fingerprint.channels[c], fingerprint.median_crop_ratio));
  }
  request.normalization_reason = normalization_reason(fingerprint.median_crop_ratio);
  return request;
}

}  // namespace

void PlanCommandConfig::declare(ConfigSchema& schema) {
  const Range count{.low = 0};
  schema.add("data", data, "Cohort to plan for (a folder with manifest.json)", {}, Effect::kNone);
  schema.add("out", out, "The plan to write (plan.yaml)", {}, Effect::kNone);
  schema.add("fingerprint", fingerprint, "Also write the fingerprint to this JSON file", {},
             Effect::kNone);
  schema.add_choice("preset", preset, {"plain", "resenc_m", "resenc_l", "resenc_xl"},
                    "nnU-Net planner: plain U-Net, or residual encoder for 8, 24 or 40 GB");
  schema.section("select", select);
  schema.add("channels", channels,
             "Sequences that form one sample; none: each is a sample of its own");
  schema.add("spacing", spacing, "Without --data: spacing z,y,x, mm");
  schema.add("shape", shape, "Without --data: median shape z,y,x at that spacing, voxels");
  schema.add("cases", cases, "Without --data: training cases", count);
  schema.add("classes", classes, "Without --data: classes, the background counted", count);
  schema.add("target_spacing", target_spacing,
             "Spacing z,y,x to resample to, mm; none: by the rule");
  schema.add("patch", patch, "Patch in the plan's axis order, voxels; none: by the rule");
  schema.add("batch", batch, "Batch size; 0: by the rule", count);
  schema.add("base_features", base_features, "Features of the first stage; 0: 32", count);
  schema.add("max_features", max_features, "Most features of any stage; 0: 320", count);
  schema.add("seed", seed, "Seed of the intensities drawn for the fingerprint", count);
  schema.add("threads", threads, "Threads that read the cohort; 0: all processors", count,
             Effect::kNone);
}

Plan plan_for(const PlanCommandConfig& config, Fingerprint* fingerprint) {
  check_mode(config);
  Fingerprint measured;
  PlanRequest request =
      config.data.empty() ? request_from_numbers(config) : request_from_cohort(config, measured);
  request.preset = plan_preset_from(config.preset);
  request.overrides = overrides_of(config);
  if (fingerprint != nullptr) {
    *fingerprint = std::move(measured);
  }
  return make_plan(request);
}

void run_plan_command(const PlanCommandConfig& config, bool dry_run) {
  if (!dry_run) {
    require<ConfigError>(!config.out.empty(),
                         "out: wanted the file to write, found nothing; give --out plan.yaml");
    for (const std::string& file : {config.out, config.fingerprint}) {
      if (!file.empty()) {
        make_writable_directory(fs::absolute(file).parent_path());
      }
    }
  }
  Fingerprint fingerprint;
  const Plan plan = plan_for(config, &fingerprint);
  log::print(format_table(describe_plan(plan)));
  if (dry_run) {
    return;
  }
  write_atomically(config.out, to_yaml(plan));
  if (!config.fingerprint.empty()) {
    write_json(config.fingerprint, to_json(fingerprint));
  }
  log::info("plan written to " + config.out);
}

}  // namespace hepar
