#include "phantom/audit.h"

#include <cmath>
#include <cstdio>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "phantom/audit_parts.h"

namespace hepar::phantom {

namespace {

std::string shown(double value) {
  if (std::isinf(value)) {
    return "";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

}  // namespace

bool AuditRow::bounded() const { return std::isfinite(low) || std::isfinite(high); }

std::vector<AuditRow> audit(const AuditRequest& request, const PhantomParameters& parameters) {
  std::vector<AuditRow> rows;
  audit_latents(request, parameters, rows);
  audit_draws(request, parameters, rows);
  audit_images(request, parameters, rows);
  audit_thresholds(request, parameters, rows);
  audit_cue(request, parameters, rows);
  return rows;
}

std::string format(const std::vector<AuditRow>& rows) {
  std::vector<std::vector<std::string>> table{
      {"what", "domain", "N", "value", "at least", "at most", ""}};
  for (const AuditRow& row : rows) {
    const char* verdict = !row.bounded() ? "for information" : (row.passed() ? "pass" : "FAIL");
    table.push_back({row.what, row.where, std::to_string(row.n), shown(row.value), shown(row.low),
                     shown(row.high), verdict});
  }
  return format_table(table);
}

void require_passed(const std::vector<AuditRow>& rows) {
  std::string failed;
  for (const AuditRow& row : rows) {
    if (row.bounded() && !row.passed()) {
      failed += "\n  " + row.what + " (" + row.where + "): wanted [" + shown(row.low) + ", " +
                shown(row.high) + "], found " + shown(row.value);
    }
  }
  require(failed.empty(), "phantom audit: out of bounds:" + failed);
}

}  // namespace hepar::phantom
