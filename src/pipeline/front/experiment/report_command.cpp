#include "experiment/staging_report.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/pipeline/report.h"

namespace hepar {

ReportTables collect_report(const TrialStore& store) {
  const Experiment experiment = store.experiment();
  const bool staging = experiment.table && experiment.table->kind == "staging";
  return staging ? detail::staging_report(store) : report_tables(collect_results(store));
}

std::string write_report_files(const std::filesystem::path& experiment) {
  const TrialStore store(experiment);
  std::string shown;
  std::optional<ReportTables> tables;
  if (store.experiment().table) {
    tables = collect_report(store);
    const fs::path folder = experiment / "report";
    make_writable_directory(folder);
    shown = to_markdown(*tables);
    write_atomically(folder / "table.md", shown);
    write_atomically(folder / "table.csv", to_csv(*tables));
    write_atomically(folder / "table.tex", to_latex(*tables));
    write_json(folder / "results.json", tables->json);
    shown += "\ntables: " + (folder / "table.{md,csv,tex}").string() +
             "   numbers: " + (folder / "results.json").string() + "\n";
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
