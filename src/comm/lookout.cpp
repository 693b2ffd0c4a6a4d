#include "lookout.h"

#include <algorithm>
#include <cmath>

#include "hepar/core/text.h"

namespace hepar {
namespace {

constexpr int kUnheard = 4;  ///< looks without a beat that make a rank silent
constexpr int kUnmoved = 3;  ///< looks in one call that make a rank stuck
constexpr const char* kAdvice =
    ". What was saved is intact: start the same command again when that is mended, or without that "
    "host";

/// 1, 2, 4, … times `unit`.
bool is_doubling(int value, int unit) {
  int mark = unit;
  while (mark < value) {
    mark *= 2;
  }
  return mark == value;
}

}  // namespace

Lookout::Lookout(const Options& options, int ranks)
    : options_(options), ranks_(static_cast<std::size_t>(ranks)) {}

bool Lookout::moved(const RankRecord& own) {
  const bool same = own.progress == own_.progress;
  own_ = own;
  if (!same) {
    stalled_ = 0;
    std::fill(ranks_.begin(), ranks_.end(), Rank{});
  }
  return !same;
}

Lookout::Verdict Lookout::look(const std::vector<std::optional<RankRecord>>& records) {
  ++stalled_;
  take(records);
  return stalled_ < options_.silence ? Verdict{} : judge();
}

void Lookout::take(const std::vector<std::optional<RankRecord>>& records) {
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    Rank& rank = ranks_[r];
    const std::optional<RankRecord>& now = records[r];
    const bool known = rank.last.has_value();
    rank.unheard = known && (!now || now->beat == rank.last->beat) ? rank.unheard + 1 : 0;
    if (now) {
      const bool stuck = known && now->waits() && now->progress == rank.last->progress;
      rank.unmoved = stuck ? rank.unmoved + 1 : 0;
      rank.last = now;
    }
  }
}

std::vector<int> Lookout::silent() const {
  std::vector<int> found;
  for (int r = 0; r < static_cast<int>(ranks_.size()); ++r) {
    if (r != options_.self && ranks_[static_cast<std::size_t>(r)].unheard >= kUnheard) {
      found.push_back(r);
    }
  }
  return found;
}

bool Lookout::all_wait() const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [](const Rank& rank) { return rank.unmoved >= kUnmoved; });
}

/// Of ranks that all wait: those at an earlier call than this one; else whom this one waits for,
/// the ranks of other hosts where there are any.
std::vector<int> Lookout::lagging() const {
  std::vector<int> earlier, elsewhere, others;
  for (int r = 0; r < static_cast<int>(ranks_.size()); ++r) {
    const RankRecord& record = *ranks_[static_cast<std::size_t>(r)].last;
    if (r == options_.self) {
      continue;
    }
    others.push_back(r);
    if (record.sequence < own_.sequence) {
      earlier.push_back(r);
    }
    if (record.host != own_.host) {
      elsewhere.push_back(r);
    }
  }
  if (!earlier.empty()) {
    return earlier;
  }
  if (own_.peer >= 0) {
    return {own_.peer};
  }
  return elsewhere.empty() ? others : elsewhere;
}

std::vector<int> Lookout::working() const {
  std::vector<int> found;
  for (int r = 0; r < static_cast<int>(ranks_.size()); ++r) {
    if (ranks_[static_cast<std::size_t>(r)].unmoved < kUnmoved) {
      found.push_back(r);
    }
  }
  return found;
}

std::string Lookout::names(const std::vector<int>& ranks) const {
  std::vector<std::string> texts;
  for (const int r : ranks) {
    const std::optional<RankRecord>& record = ranks_[static_cast<std::size_t>(r)].last;
    texts.push_back(record ? record->who() + " " + record->where()
                           : "rank " + std::to_string(r) + ", whose record is not seen here");
  }
  return join(texts, "; ");
}

std::string Lookout::seconds(int looks) const {
  return std::to_string(std::lround(looks * options_.look_s)) + " s";
}

Lookout::Verdict Lookout::judge() const {
  const std::string waited =
      "this rank has waited for " + seconds(stalled_) + " " + own_.where() + "; ";
  const std::vector<int> lost = silent();
  if (own_.waits() && !lost.empty()) {
    return {true, waited + "no sign of life for " + seconds(kUnheard) + " or more from " +
                      names(lost) +
                      ". Its process or host is gone or stopped, or does not reach this folder" +
                      kAdvice};
  }
  if (own_.waits() && all_wait()) {
    return {true, waited + "no answer from " + names(lagging()) +
                      ". All ranks wait and no message arrives: the connection is broken" +
                      kAdvice};
  }
  // The ranks that wait for this one speak first.
  if (stalled_ >= options_.deadline + (own_.waits() ? 0 : options_.silence)) {
    return {true, (own_.waits() ? waited + "longer than the deadline, for " + names(working())
                                : "this rank has been " + own_.where() + " for " +
                                      seconds(stalled_) + ", longer than the deadline") +
                      kAdvice};
  }
  const bool first = std::none_of(ranks_.begin(), ranks_.begin() + options_.self,
                                  [](const Rank& r) { return r.last && r.last->waits(); });
  if (own_.waits() && first && is_doubling(stalled_, options_.silence)) {
    return {false, waited + "it goes on waiting for " + names(working())};
  }
  return {};
}

}  // namespace hepar
