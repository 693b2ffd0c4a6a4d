#include "hepar/core/normalization.h"

#include <array>

#include "hepar/core/error.h"

namespace hepar {
namespace {

struct NamedKind {
  NormalizationKind kind;
  const char* name;
};
constexpr std::array<NamedKind, 5> kKinds{{{NormalizationKind::kZScore, "zscore"},
                                           {NormalizationKind::kZScoreMasked, "zscore_masked"},
                                           {NormalizationKind::kCt, "ct"},
                                           {NormalizationKind::kNone, "none"},
                                           {NormalizationKind::kRescale01, "rescale01"}}};

}  // namespace

std::string to_string(NormalizationKind kind) {
  for (const NamedKind& known : kKinds) {
    if (known.kind == kind) {
      return known.name;
    }
  }
  return "unknown";
}

NormalizationKind normalization_kind_from(const std::string& name, const std::string& where) {
  for (const NamedKind& known : kKinds) {
    if (name == known.name) {
      return known.kind;
    }
  }
  throw DataError(where + ": unknown normalisation '" + name +
                  "'; known are zscore, zscore_masked, ct, none, rescale01");
}

}  // namespace hepar
