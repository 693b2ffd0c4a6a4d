#pragma once
#include <hepar/pipeline/report.h>

namespace hepar::detail {

/// The report of a table of staging scores.
ReportTables staging_report(const TrialStore& store);

}  // namespace hepar::detail
