#include "experiment/staging_report.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/pipeline/report.h"
#include "hepar/pipeline/sweep.h"

namespace hepar {

ReportTables collect_report(const TrialStore& store) {
  const Experiment experiment = store.experiment();
  const bool staging = experiment.table && experiment.table->kind == "staging";
  return staging ? detail::staging_report(store) : report_tables(collect_results(store));
}

namespace {

/// NAME.{md,csv,tex} and NUMBERS of one kind of table; returns the Markdown and where they are.
std::string write_tables(const fs::path& folder, const std::string& name,
                         const std::string& numbers, const ReportTables& tables) {
  make_writable_directory(folder);
  const std::string shown = to_markdown(tables);
  write_atomically(folder / (name + ".md"), shown);
  write_atomically(folder / (name + ".csv"), to_csv(tables));
  write_atomically(folder / (name + ".tex"), to_latex(tables));
  write_json(folder / numbers, tables.json);
  return shown + "\ntables: " + (folder / (name + ".{md,csv,tex}")).string() +
         "   numbers: " + (folder / numbers).string() + "\n";
}

}  // namespace

std::string write_report_files(const std::filesystem::path& experiment) {
  const TrialStore store(experiment);
  const Experiment read = store.experiment();
  std::string shown;
  std::vector<ReportTables> tables;
  if (read.table) {
    tables.push_back(collect_report(store));
    shown += write_tables(experiment / "report", "table", "results.json", tables.back());
  }
  if (read.sweep) {
    tables.push_back(ranking_tables(store));
    shown += write_tables(experiment / "report", "ranking", "ranking.json", tables.back());
  }
  write_atomically(experiment / "report.html", report_html(store, tables));
  return shown + "report: " + (experiment / "report.html").string();
}

void ReportConfig::declare(ConfigSchema& schema) {
  schema.add("experiment", experiment, "Folder that `hepar run` wrote", {}, Effect::kNone);
  schema.add("out", out, "HTML file; empty: report.html in that folder", {}, Effect::kNone);
}

void run_report_command(const ReportConfig& config, bool dry_run) {
  require<ConfigError>(!config.experiment.empty(), "report: which experiment? hepar report EXP");
  const TrialStore store(config.experiment);
  (void)store.experiment();
  if (dry_run) {
    return;
  }
  log::print(write_report_files(config.experiment));
  if (!config.out.empty()) {
    write_atomically(config.out, read_text(fs::path(config.experiment) / "report.html"));
    log::print("also: " + config.out);
  }
}

}  // namespace hepar
