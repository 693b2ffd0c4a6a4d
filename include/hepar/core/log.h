#pragma once
#include <string>

namespace hepar::log {

/// Sets who speaks: `info` is printed by rank 0 only, `warn` and `error` by any rank, with
/// "[rank 3/8 host]" before the text when there is more than one.
void set_rank(int rank, int size);
void set_quiet(bool quiet);

void info(const std::string& text);
void warn(const std::string& text);
void error(const std::string& text);

/// True when stderr is a terminal: progress bars there, plain lines elsewhere.
bool is_terminal();

/// Plain output of a command's answer (tables, help, JSON) on stdout.
void print(const std::string& text);

}  // namespace hepar::log
