#include "phantom/phantom_command.h"

#include <algorithm>

#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/text.h"
#include "phantom/audit.h"
#include "phantom/external.h"
#include "phantom/generate.h"
#include "phantom/layout.h"

namespace hepar {

namespace phantom {

namespace {

struct PhantomOptions {
  std::string preset = "quick";
  std::string variant = "plain";
  std::string layout = "liqa2024";
  std::string sequences = "all";
  std::string external;
  std::uint64_t seed = 1;
  std::string out;
  bool audit = false;
  std::int64_t audit_patients = 0;
  std::int64_t threads = 0;
  PhantomParameters parameters;

  void declare(ConfigSchema& schema) {
    schema.add_choice("preset", preset, {"paper", "quick", "tiny"},
                      "How many patients, and how fine");
    schema.add_choice("variant", variant, variant_names(),
                      "confound adds a cue outside the liver that turns around in domain C; "
                      "swapped gives each patient of it another's cue");
    schema.add_choice("layout", layout, layout_names(), "Whose folders and spelling to write");
    schema.add("sequences", sequences, "Sequences to write, separated by commas, or all");
    schema.add("external", external,
               "Write miniatures of other data sets instead, each in its own layout: " +
                   join(external_names(), ", ") + ", separated by commas, or all");
    schema.add("seed", seed, "Seed; the same seed gives the same bytes", Range{.low = 0});
    schema.add("out", out, "New folder for the cohort", {}, Effect::kNone);
    schema.add("audit", audit, "Measure the phantom's promises; exit 1 when one is broken", {},
               Effect::kNone);
    schema.add(
        "audit_patients", audit_patients,
        "Patients a domain for scores read from images (0: as configured, about two minutes)",
        Range{.low = 0, .high = 100000}, Effect::kNone);
    schema.add("threads", threads, "Threads (0: all processors)", Range{.low = 0, .high = 1024},
               Effect::kNone);
    parameters.declare(schema);
  }
};

std::vector<int> sequences_of(const std::string& text) {
  std::vector<int> sequences;
  const std::vector<std::string> known(std::begin(kSequenceNames), std::end(kSequenceNames));
  for (const std::string& name : split(text == "all" ? join(known, ",") : text, ',')) {
    const auto found = std::find(known.begin(), known.end(), name);
    require<ConfigError>(found != known.end(), "phantom: --sequences: unknown sequence '" + name +
                                                   "'; did you mean '" + nearest(name, known) +
                                                   "'? known are " + join(known, ", "));
    sequences.push_back(static_cast<int>(found - known.begin()));
  }
  return sequences;
}

/// --external: the sets of other data, below --out.
void write_external(const PhantomOptions& options, bool dry_run) {
  require<ConfigError>(!options.out.empty() && !options.audit,
                       "phantom: --external writes to --out DIR and cannot be audited");
  const std::vector<std::string> sets =
      options.external == "all" ? external_names() : split(options.external, ',');
  const ExternalRequest request{
      options.seed, options.preset, sets, options.out,
      options.threads > 0 ? static_cast<int>(options.threads) : usable_processors()};
  check_external(request);
  log::info("phantom: " + join(sets, ", ") + ", preset " + options.preset + ", seed " +
            std::to_string(options.seed));
  if (!dry_run) {
    generate_external(request);
    log::info("phantom: written to " + options.out);
  }
}

void run_audit(const PhantomOptions& options, int threads) {
  // A small request is meant to be quick: the threshold oracle shrinks with it.
  const std::int64_t thresholds =
      options.audit_patients > 0 ? std::max<std::int64_t>(2, options.audit_patients / 60) : 0;
  const std::vector<AuditRow> rows =
      audit({options.seed, options.audit_patients, thresholds, threads}, options.parameters);
  log::print("phantom " + version_label(options.parameters) +
             ", audited on freshly drawn patients, seed " + std::to_string(options.seed) + "\n" +
             format(rows));
  require_passed(rows);
}

}  // namespace
}  // namespace phantom

void run_phantom_command(const std::vector<std::string>& arguments) {
  phantom::PhantomOptions options;
  ConfigSchema schema;
  options.declare(schema);
  const CommandName name{"hepar-prep", "phantom",
                         "a synthetic cohort of liver MRI in the layout of a real data set"};
  const CommandAction action = parse_command(name, arguments, schema);
  if (action == CommandAction::kHelp) {
    return;
  }
  phantom::check_version1_is_frozen();
  phantom::check_lengths(options.parameters);
  if (!options.external.empty()) {
    phantom::write_external(options, action == CommandAction::kDryRun);
    return;
  }
  require<ConfigError>(options.audit || !options.out.empty(),
                       "phantom: nothing to do; give --out DIR to write a cohort, or --audit");
  const phantom::GenerateRequest request{
      {options.seed, options.preset, phantom::variant_from(options.variant)},
      options.layout,
      options.out,
      phantom::sequences_of(options.sequences),
      options.threads > 0 ? static_cast<int>(options.threads) : usable_processors()};
  if (!options.out.empty()) {
    log::info("phantom " + phantom::version_label(options.parameters) + ", preset " +
              options.preset + ", variant " + options.variant + ", seed " +
              std::to_string(options.seed) + "\n" +
              phantom::describe(phantom::make_cohort(request.cohort, options.parameters)));
  }
  if (action == CommandAction::kDryRun) {
    return;
  }
  if (!options.out.empty()) {
    phantom::generate(request, options.parameters);
    log::info("phantom: written to " + options.out);
  }
  if (options.audit) {
    phantom::run_audit(options, request.threads);
  }
}

}  // namespace hepar
