#pragma once
#include <hepar/plan/plan.h>

#include <string>

namespace hepar {

/// Throws DataError naming `where` and the key when values do not fit each other.
void check_plan(const Plan& plan, const std::string& where);

}  // namespace hepar
