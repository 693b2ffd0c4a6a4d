#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/pipeline/report.h"

namespace hepar {

std::string write_report_files(const std::filesystem::path& experiment) {
  const TrialStore store(experiment);
  std::string shown;
  if (store.experiment().table) {
    const Results results = collect_results(store);
    const fs::path folder = experiment / "report";
    make_writable_directory(folder);
    shown = to_markdown(results);
    write_atomically(folder / "table.md", shown);
    write_atomically(folder / "table.csv", to_csv(results));
    write_atomically(folder / "table.tex", to_latex(results));
    write_json(folder / "results.json", to_json(results));
    shown += "\ntables: " + (folder / "table.{md,csv,tex}").string() +
             "   numbers: " + (folder / "results.json").string() + "\n";
  }
  write_atomically(experiment / "report.html", report_html(store));
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
    write_atomically(config.out, report_html(store));
    log::print("also: " + config.out);
  }
}

}  // namespace hepar
