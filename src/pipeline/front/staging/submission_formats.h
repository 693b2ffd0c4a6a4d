#pragma once
#include <string>

namespace hepar::detail {

/// The header line a challenge wants. Sources: the winner's code of 2024, the pages of CARE 2025
/// (track 4) and 2026.
std::string submission_header(const std::string& year);

}  // namespace hepar::detail
