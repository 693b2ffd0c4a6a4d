// Any report as Markdown, CSV and LaTeX.
#include "hepar/core/text.h"
#include "hepar/pipeline/report.h"

namespace hepar {
namespace {

std::string markdown(const TextTable& table) {
  std::string text;
  for (std::size_t i = 0; i < table.size(); ++i) {
    text += "| " + join(table[i], " | ") + " |\n";
    if (i == 0) {
      text += "|";
      for (std::size_t column = 0; column < table[0].size(); ++column) {
        text += "---|";
      }
      text += "\n";
    }
  }
  return text;
}

std::string latex_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string("&%$#_{}").find(c) != std::string::npos) {
      escaped += '\\';
    }
    escaped += c;
  }
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"±", "$\\pm$"},
                                 {"−", "$-$"},
                                 {"–", "--"},
                                 {"< ", "$<$ "}}) {
    for (std::size_t at = 0; (at = escaped.find(from, at)) != std::string::npos; at += to.size()) {
      escaped.replace(at, from.size(), to);
    }
  }
  return escaped;
}

std::string latex(const TextTable& table, const std::string& caption) {
  std::string text = "\\begin{table}\n\\caption{" + latex_escaped(caption) +
                     "}\n\\begin{tabular}{l" + std::string(table[0].size() - 1, 'r') +
                     "}\n\\toprule\n";
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::vector<std::string> cells;
    std::transform(table[i].begin(), table[i].end(), std::back_inserter(cells), latex_escaped);
    text += join(cells, " & ") + " \\\\\n" + (i == 0 ? "\\midrule\n" : "");
  }
  return text + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

}  // namespace

std::string to_markdown(const ReportTables& tables) {
  std::string text = "# " + tables.title + "\n\n" + tables.origin + "\n";
  for (const std::string& note : tables.notes) {
    text += "\n**" + note + "**\n";
  }
  for (const ReportTables::Part& part : tables.parts) {
    text += "\n## " + part.heading + "\n\n" + markdown(part.lines);
  }
  text += "\n## Sources\n\n" + markdown(tables.sources) + "\n";
  for (const std::string& line : tables.conventions) {
    text += "- " + line + "\n";
  }
  return text;
}

std::string to_csv(const ReportTables& tables) {
  std::string text;
  for (const auto& line : tables.numbers) {
    text += join(line, ",") + "\n";
  }
  return text;
}

std::string to_latex(const ReportTables& tables) {
  std::string text = "% " + tables.origin + "; needs the package booktabs\n";
  for (const ReportTables::Part& part : tables.parts) {
    text += latex(part.lines, tables.title + ": " + part.caption);
  }
  return text;
}

}  // namespace hepar
