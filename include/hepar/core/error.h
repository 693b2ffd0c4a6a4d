#pragma once
#include <stdexcept>
#include <string>

namespace hepar {

/// Exit codes of every program (DESIGN §8); scripts and schedulers rely on them.
enum class ExitCode : int {
  kDone = 0,
  kFailure = 1,        ///< anything that has no code of its own
  kUsage = 2,          ///< command line or configuration
  kBadData = 3,        ///< an input file, or an output that cannot be written
  kCommunication = 4,  ///< MPI, NCCL, a lost peer or a lost lease
  kResumable = 75,     ///< stopped on request; starting again continues
};

/// Base of everything hepar throws. The text says where (file, case, rank), what was wanted, what
/// was found and what to do.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, ExitCode code = ExitCode::kFailure)
      : std::runtime_error(what), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// A wrong command line or configuration (exit 2).
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& what) : Error(what, ExitCode::kUsage) {}
};

/// A file that is missing, damaged, or does not say what it must; an output that cannot be written
/// (exit 3).
class DataError : public Error {
 public:
  explicit DataError(const std::string& what) : Error(what, ExitCode::kBadData) {}
};

/// MPI or NCCL failed, ranks disagree, or a lease was lost (exit 4).
class CommError : public Error {
 public:
  explicit CommError(const std::string& what) : Error(what, ExitCode::kCommunication) {}
};

/// Two shapes that had to agree do not: a mistake in the calling code (exit 1).
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Throws E(message) unless `condition` holds.
template <class E = Error>
void require(bool condition, const std::string& message) {
  if (!condition) {
    throw E(message);
  }
}

}  // namespace hepar
