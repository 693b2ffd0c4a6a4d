#include "plan_run/units.h"

namespace hepar::detail {

std::string bytes_text(double bytes) {
  if (bytes <= 0) {
    return "";
  }
  return bytes >= 1e9   ? fixed(bytes / 1e9, 2) + " GB"
         : bytes >= 1e6 ? fixed(bytes / 1e6, 1) + " MB"
         : bytes >= 1e3 ? fixed(bytes / 1e3, 1) + " kB"
                        : fixed(bytes, 0) + " B";
}

std::string percent_text(double fraction) {
  const std::string text = fixed(100 * fraction, 1) + " %";
  return fraction >= 0 ? "+" + text : text;
}

}  // namespace hepar::detail
