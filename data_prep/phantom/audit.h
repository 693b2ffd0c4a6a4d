#pragma once
#include <limits>
#include <string>
#include <vector>

#include "phantom/patient.h"

namespace hepar::phantom {

/// One promise of the phantom, measured.
struct AuditRow {
  std::string what;
  std::string where;   ///< domain, or "all"
  std::int64_t n = 0;  ///< patients it was measured on
  double value = 0;
  double low =
      -std::numeric_limits<double>::infinity();  ///< bounds, what chance allows at this n included
  double high = std::numeric_limits<double>::infinity();
  [[nodiscard]] bool bounded() const;
  [[nodiscard]] bool passed() const { return value >= low && value <= high; }
};

struct AuditRequest {
  std::uint64_t seed = 0;
  std::int64_t rendered_patients = 0;   ///< per domain; 0: as configured
  std::int64_t threshold_patients = 0;  ///< per domain; 0: as configured
  int threads = 1;
};

/// Measures every promise of PROTOCOL §6 on freshly drawn patients, at the voxel sizes of
/// grid_scale 1: half of them S4, the others with the domain's own mix of S1–S3.
std::vector<AuditRow> audit(const AuditRequest& request, const PhantomParameters& parameters);

std::string format(const std::vector<AuditRow>& rows);
/// Throws Error naming every row out of its bounds.
void require_passed(const std::vector<AuditRow>& rows);

}  // namespace hepar::phantom
