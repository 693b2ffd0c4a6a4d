#pragma once
#include <optional>
#include <string>
#include <vector>

#include "rank_record.h"

namespace hepar {

/// The watchdog's judgement: from the records of all ranks, look after look, to the verdict. Holds
/// no clock: `look_s` is the time between two looks.
class Lookout {
 public:
  struct Options {
    int self = 0;
    double look_s = 5;
    int silence = 6;     ///< looks that a call may take before the others' records are judged
    int deadline = 360;  ///< looks that it may take at all
  };
  struct Verdict {
    bool end = false;  ///< the job cannot go on; else it is a warning, where there is a text
    std::string text;
  };
  /// `ranks`: of the group.
  Lookout(const Options& options, int ranks);

  /// True when this rank has moved since the last look; the others need not be read then.
  bool moved(const RankRecord& own);
  /// One more look at the records of all, by rank; empty ones could not be read. After moved() was
  /// false.
  Verdict look(const std::vector<std::optional<RankRecord>>& records);

 private:
  struct Rank {
    std::optional<RankRecord> last;
    int unheard = 0;  ///< looks without a beat
    int unmoved = 0;  ///< looks in which it waited in the same call
  };
  void take(const std::vector<std::optional<RankRecord>>& records);
  [[nodiscard]] std::vector<int> silent() const;
  [[nodiscard]] bool all_wait() const;
  [[nodiscard]] std::vector<int> lagging() const;
  [[nodiscard]] std::vector<int> working() const;
  [[nodiscard]] std::string names(const std::vector<int>& ranks) const;
  [[nodiscard]] std::string seconds(int looks) const;
  [[nodiscard]] Verdict judge() const;

  Options options_;
  std::vector<Rank> ranks_;
  RankRecord own_;
  int stalled_ = 0;
};

}  // namespace hepar
