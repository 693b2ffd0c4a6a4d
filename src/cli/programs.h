#pragma once
#include <string>
#include <vector>

namespace hepar {

/// The folder this program lies in: its sisters are beside it.
std::string program_folder();

/// Replaces this process by the sister program `name`. Throws Error when it is not there.
[[noreturn]] void become(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace hepar
