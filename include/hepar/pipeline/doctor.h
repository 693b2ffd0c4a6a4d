#pragma once
#include <hepar/core/error.h>
#include <hepar/core/json.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// What a rank says of itself.
struct RankFacts {
  std::string host = {};
  std::vector<int> processors = {};  ///< numbers of those it may use
  std::vector<int> cores = {};       ///< of each of them: the core's first processor
  std::int64_t threads = 1;          ///< that it would compute with
  std::map<std::string, std::string> versions = {};  ///< by library; "" where this build is without
  std::vector<std::string> devices = {};             ///< CUDA's names
};

/// One size of message.
struct AllReduceTime {
  std::int64_t bytes = 0;
  double median_s = 0;
  int repeats = 0;
  bool right = true;  ///< the sums were those expected
};

/// A host's clock minus rank 0's, which lies within `uncertainty_s` of the estimate.
struct ClockOffset {
  std::string host = {};
  double offset_s = 0;
  double uncertainty_s = 0;
};

/// How the file system of a folder behaves between ranks. Each count is of rounds gone wrong.
struct FolderFacts {
  std::string folder = {};
  std::string problem = {};              ///< why nothing could be tried
  std::vector<std::string> blind = {};   ///< who did not see what rank 0 wrote, and why
  std::vector<std::string> unseen = {};  ///< whose file rank 0 did not see, and why
  double delay_s = 0;                    ///< until the last had seen rank 0's file
  double delay_back_s = 0;               ///< until rank 0 had seen all
  int rounds = 0;
  int shared_creations = 0;     ///< "create if it is not there" had not exactly one winner
  int shared_renames = 0;       ///< nor had the rename of one file by all
  std::string lock_error = {};  ///< empty: files can be locked
  bool lock_excludes = true;    ///< a lock of rank 0 keeps the other ranks out
  double free_bytes = 0;        ///< smallest that a rank sees
};

/// Everything that was measured.
struct DoctorFacts {
  int announced_ranks = 0;  ///< by the launcher; 0: it said nothing
  std::vector<RankFacts> ranks = {};
  std::vector<AllReduceTime> all_reduce = {};  ///< ascending sizes; none with one rank
  std::vector<ClockOffset> clocks = {};        ///< of hosts other than rank 0's
  std::optional<FolderFacts> folder = {};      ///< not looked at in a dry run
};

enum class Verdict { kOk, kNote, kProblem };
std::string to_string(Verdict verdict);  ///< "ok", "note", "problem"

struct Finding {
  std::string point = {};  ///< "processors"
  Verdict verdict = Verdict::kOk;
  std::string found = {};
  std::string advice = {};             ///< what to do; empty when all is well
  ExitCode code = ExitCode::kFailure;  ///< of a problem
};

/// One finding a point, in a fixed order. A *problem* stops hepar or makes it wrong or several
/// times slower; a *note* is worth knowing.
std::vector<Finding> judge(const DoctorFacts& facts);

/// kDone, or the code of the first problem.
ExitCode exit_code(const std::vector<Finding>& findings);

/// A table of the points, then what to do.
std::string doctor_text(const std::vector<Finding>& findings);

/// {"verdict", "findings": [{"point","verdict","found","advice"}], "all_reduce": [{"bytes",
/// "median_s","repeats","bytes_per_s"}], "clocks": […], "folder": {…}, "ranks": […]}.
Json doctor_json(const std::vector<Finding>& findings, const DoctorFacts& facts);

Json to_json(const RankFacts& facts);
RankFacts rank_facts_from_json(const Json& json, const std::string& where);

}  // namespace hepar
