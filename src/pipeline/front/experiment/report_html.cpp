#include <fstream>

#include "experiment/progress_of.h"
#include "experiment/result_tables.h"
#include "experiment/svg.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/pipeline/report.h"
#include "hepar/pipeline/status_command.h"

namespace hepar {
namespace {

using detail::escaped;

constexpr const char* kStyle =
    "body{font:15px/1.45 sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0;font-size:13px}"
    "td,th{padding:3px 9px;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
    "th{border-bottom:2px solid #666}td+td{font-variant-numeric:tabular-nums}"
    "pre,code{background:#f5f5f5;font-size:12px}pre{padding:.6em;overflow-x:auto}"
    ".missing{background:#fde2e2}.paper{color:#777;font-style:italic}details{margin:.2em 0}"
    ".curves{display:flex;flex-wrap:wrap;gap:12px}";

std::string html_table(const TextTable& table) {
  std::string html = "<table>";
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::string& first = table[i].front();
    html += first.starts_with("  ") ? "<tr class=\"paper\">" : "<tr>";
    for (std::size_t column = 0; column < table[i].size(); ++column) {
      const std::string& cell = table[i][column];
      const std::string tag = i == 0 ? "th" : "td";
      // "MISSING (why)"; "1 of 3" in the column of runs; every reason below Sources.
      const bool missing = i > 0 && (to_lower(cell).starts_with("missing") ||
                                     (table[0][column] == "missing" && !cell.empty()));
      const bool partly =
          i > 0 && table[0][column] == "runs" && cell.find(" of ") != std::string::npos;
      html += "<" + tag + (missing || partly ? " class=\"missing\">" : ">") + escaped(cell) + "</" +
              tag + ">";
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string result_section(const ReportTables& tables) {
  std::string html;
  for (const std::string& note : tables.notes) {
    html += "<p class=\"missing\">" + escaped(note) + "</p>";
  }
  for (const ReportTables::Part& part : tables.parts) {
    html += "<h2>" + escaped(part.heading) + "</h2>\n" + html_table(part.lines);
  }
  html += "<h2>Sources</h2>\n<p>" + escaped(tables.origin) + "</p>" + html_table(tables.sources) +
          "<ul>";
  for (const std::string& line : tables.conventions) {
    html += "<li>" + escaped(line) + "</li>";
  }
  return html + "</ul>\n";
}

/// The values of one key of metrics.jsonl by step.
std::vector<std::pair<double, double>> metric(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  std::vector<std::pair<double, double>> points;
  std::string line;
  while (std::getline(stream, line)) {
    const Json record = Json::parse(line, nullptr, false);  // a kill may have cut the last line
    if (!record.is_object() || !record.contains("step") || !record.contains(key)) {
      continue;
    }
    const Json& value =
        record[key].is_array() && !record[key].empty() ? record[key][0] : record[key];
    if (value.is_number()) {
      points.emplace_back(record["step"].get<double>(), value.get<double>());
    }
  }
  return points;
}

std::string curve_section(const TrialStore& store, const Experiment& experiment) {
  std::string html;
  for (const std::string& stage : experiment.stages) {
    for (const char* key : {"loss", "pseudo_dice"}) {
      std::vector<detail::Curve> curves;
      for (const Trial& trial : experiment.trials) {
        if (trial.stage == stage && trial.steps > 0) {
          curves.push_back(
              {to_string(trial.axes), metric(store.output(trial) / "metrics.jsonl", key)});
        }
      }
      html += detail::line_chart(stage + ": " + key, curves);
    }
  }
  return html.empty() ? "" : "<h2>Training curves</h2>\n<div class=\"curves\">" + html + "</div>\n";
}

std::string file_text(const fs::path& file) { return fs::exists(file) ? read_text(file) : ""; }

std::string last_lines(const std::string& text, std::size_t bytes) {
  return text.size() <= bytes ? text
                              : "…\n" + text.substr(text.find('\n', text.size() - bytes) + 1);
}

std::string trial_details(const TrialStore& store, const Trial& trial, const std::string& state) {
  constexpr std::size_t kLogBytes = 3000;
  const fs::path folder = store.trial_folder(trial.id);
  const auto outcome = store.outcome(trial.id);
  std::string html = "<details><summary><code>" + trial.id + "</code> " +
                     escaped(detail::label(trial)) + ": " + trial.command + ", " + state;
  if (outcome) {
    html += ", " + detail::duration_text(outcome->cost.wall_s) + ", " +
            detail::fixed(outcome->cost.core_hours(), 3) + " core-h, " +
            detail::fixed(outcome->cost.peak_memory_mib, 0) + " MiB, output " +
            outcome->output_hash + ", hepar " + escaped(outcome->code_version);
  }
  html += "</summary><pre>" + escaped(file_text(folder / "command.txt")) + "</pre><pre>" +
          escaped(file_text(folder / "config.yaml")) + "</pre>";
  if (state == "failed") {
    html += "<pre class=\"missing\">" +
            escaped(last_lines(file_text(folder / "log.txt"), kLogBytes)) + "</pre>";
  }
  return html + "</details>\n";
}

std::string trial_section(const TrialStore& store, const Experiment& experiment) {
  const TrialStates states = store.states();
  std::string html =
      "<h2>Trials</h2>\n<p>Each with the exact command that does it again, its whole configuration "
      "and its cost. What a trial reads is in the folders that its configuration names.</p>\n";
  for (const Trial& trial : experiment.trials) {
    const auto state = states.find(trial.id);
    html +=
        trial_details(store, trial, state == states.end() ? "planned" : to_string(state->second));
  }
  return html;
}

}  // namespace

std::string report_html(const TrialStore& store, const std::vector<ReportTables>& tables) {
  const Experiment experiment = store.experiment();
  const std::string title = tables.empty() ? experiment.name : tables.front().title;
  std::string results;
  for (const ReportTables& of : tables) {
    results += result_section(of);
  }
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
         escaped(title) + "</title><style>" + kStyle + "</style></head><body>\n<h1>" +
         escaped(title) + "</h1>\n<p>Experiment <code>" + escaped(experiment.name) +
         "</code>, report by hepar " + escaped(version()) + "</p>\n" + results +
         curve_section(store, experiment) + "<h2>State and cost</h2>\n<pre>" +
         escaped(status_text(store.folder())) + "</pre>\n" + trial_section(store, experiment) +
         "<h2>The experiment</h2>\n<pre>" + escaped(experiment.document.dump(2)) +
         "</pre>\n</body></html>\n";
}

}  // namespace hepar
