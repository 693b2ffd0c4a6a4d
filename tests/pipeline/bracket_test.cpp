#include <gtest/gtest.h>
#include <hepar/core/text.h>
#include <hepar/pipeline/bracket.h>
#include <hepar/pipeline/schedule.h>
#include <hepar/pipeline/status_command.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <thread>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

/// Eight configurations a … h; of 8 go 4 on, of those 2.
constexpr const char* kEight = R"(
name: eight
axes: {net.note: [a, b, c, d, e, f, g, h]}
stages:
  net: {command: fit, train: {steps: 8}}
  scores: {command: score, in: "${net}"}
sweep:
  metric: {stage: scores, key: dsc}
  asha: {stage: net, rungs: [2, 4, 8], eta: 2}
)";

/// The lines of a text, their words one space apart.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> words = split(line, ' ');
    std::erase(words, "");
    lines.push_back(join(words, " "));
  }
  return lines;
}

class Rungs : public ::testing::Test {
 protected:
  Rungs() { open(kEight); }

  void open(const std::string& yaml, DecisionPolicy policy = {}) {
    experiment_ = expand(yaml);
    store_.open(experiment_, policy.accept_changes);
    open_decisions(experiment_, store_, policy);
    store_.plan(experiment_, policy.retry_failed);
  }

  const Trial& trial(const std::string& stage, const std::string& init, int rung) const {
    const AxisValues axes{{"net.note", init}, {"rung", std::to_string(rung)}};
    return experiment_.trial(experiment_.cell(stage, axes)->id);
  }
  /// The training of a configuration at a rung and its score.
  void score(const std::string& init, int rung, const Json& value) {
    finish(store_, trial("net", init, rung));
    finish(store_, trial("scores", init, rung), Json{{"dsc", value}}.dump());
  }
  void fail(const std::string& init, int rung) {
    const std::string id = trial("net", init, rung).id;
    ASSERT_TRUE(store_.move(id, TrialState::kPlanned, TrialState::kFailed));
  }
  /// What can be decided now; the lines that are said.
  std::vector<std::string> decide(Bracket& bracket) const {
    const TrialStates states = store_.states();
    return bracket.decide({states, Schedule(experiment_, {}).blocked(states)});
  }
  Bracket decided() const {
    Bracket bracket(experiment_, store_);
    (void)decide(bracket);
    return bracket;
  }
  /// "cab": who reached a rung, best first.
  std::string reached(std::size_t rung) const {
    const Bracket bracket = decided();
    std::string names;
    for (const std::size_t i : bracket.entrants(rung)) {
      names += bracket.trials().axes(i).at("net.note");
    }
    return names;
  }
  /// Who may be trained next.
  std::string next() const {
    const Bracket bracket = decided();
    std::set<std::string> names;
    const Schedule schedule(experiment_, {});
    for (const std::string& id :
         schedule.next(store_.states(), true, bracket.closed()).candidates) {
      names.insert(experiment_.trial(id).axes.at("net.note"));
    }
    std::string text;
    for (const std::string& name : names) {
      text += name;
    }
    return text;
  }
  std::string log() const { return read_text(store_.folder() / "decisions.jsonl"); }

  std::ptrdiff_t lines_of_log() const {
    const std::string text = log();
    return std::count(text.begin(), text.end(), '\n');
  }

  TemporaryFolder folder_;
  TrialStore store_{folder_.path() / "exp"};
  Experiment experiment_;
};

TEST_F(Rungs, TheBestHalfGoesOnTwiceAndTheRestIsStopped) {
  for (const auto& [init, value] : std::map<std::string, double>{
           {"a", 0.1}, {"b", 0.9}, {"c", 0.3}, {"d", 0.8}, {"e", 0.7}, {"f", 0.2}, {"g", 0.6}}) {
    EXPECT_EQ(reached(1), "");  // h is not done
    score(init, 2, value);
  }
  EXPECT_EQ(next(), "h");
  score("h", 2, 0.5);

  EXPECT_EQ(reached(1), "bdeg");
  EXPECT_EQ(next(), "bdeg");
  score("b", 4, 0.1);
  score("d", 4, 0.2);
  score("e", 4, 0.3);
  EXPECT_EQ(next(), "g");
  score("g", 4, 0.4);
  EXPECT_EQ(reached(2), "ge");
  score("g", 8, 0.5);
  score("e", 8, 0.4);
  EXPECT_EQ(next(), "");
  EXPECT_EQ(decided().stopped().size(), 2U * (4 * 2 + 2));  // trainings and scores
  EXPECT_NE(log().find(R"({"rung":2,"configuration":{"net.note":"h"},"trials":[")" +
                       trial("scores", "h", 2).id +
                       R"("],"value":0.5,"promoted":false,"why":"rank 5 of 8, 4 go on"})"),
            std::string::npos)
      << log();
  EXPECT_EQ(ranking_tables(store_).json["configurations"][0]["axes"]["net.note"], "g");
  EXPECT_EQ(ranking_tables(store_).json["steps_made"], 8 * 2 + 4 * 2 + 2 * 4);
}

TEST_F(Rungs, FailedOnesRankLastAndTiesGoByTrialId) {
  fail("a", 2);
  score("b", 2, nullptr);  // an undefined score
  for (const char* init : {"c", "d", "e", "f", "g", "h"}) {
    score(init, 2, 0.5);
  }
  std::vector<std::pair<std::string, std::string>> by_id;
  for (const char* init : {"c", "d", "e", "f", "g", "h"}) {
    by_id.emplace_back(trial("scores", init, 2).id, init);
  }
  std::sort(by_id.begin(), by_id.end());

  EXPECT_EQ(reached(1), by_id[0].second + by_id[1].second + by_id[2].second + by_id[3].second);
  EXPECT_NE(log().find(R"("value":null,"promoted":false,"why":"net (net.note=a, rung=2) failed")"),
            std::string::npos)
      << log();
}

TEST_F(Rungs, ARungInWhichAllFailedIsNotDecided) {
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    fail(init, 2);
  }

  EXPECT_EQ(reached(1), "");
  EXPECT_EQ(lines_of_log(), 1);  // the rule alone
}

TEST_F(Rungs, DecisionsAreReplayedAndWrittenOnce) {
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    score(init, 2, init[0]);
  }
  Bracket one(experiment_, store_), two(experiment_, store_);  // of two groups
  EXPECT_EQ(decide(one).size(), 1U);
  const std::string written = log();

  EXPECT_EQ(decide(two).size(), 0U);
  EXPECT_EQ(one.closed(), two.closed());
  // A score that is written anew later changes no decision.
  write_atomically(store_.output(trial("scores", "a", 2)), Json{{"dsc", 1000}}.dump());
  EXPECT_EQ(reached(1), "hgfe");
  open(kEight);
  EXPECT_EQ(log(), written);
}

TEST_F(Rungs, TwoGroupsThatDecideAtAboutTheSameTimeLogItOnce) {
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    score(init, 2, init[0]);
  }
  std::string history;  // so long that reading the log takes as long as writing it
  for (int i = 0; i < 5000; ++i) {
    history += R"({"bracket":{"eta":3}})"
               "\n";
  }
  for (int attempt = 0; attempt < 30; ++attempt) {
    write_atomically(store_.folder() / "decisions.jsonl", history);
    open_decisions(experiment_, store_, {});
    Bracket one(experiment_, store_), two(experiment_, store_);
    std::latch start(2);
    std::thread other([&] {
      start.arrive_and_wait();
      std::this_thread::sleep_for(attempt * std::chrono::microseconds(400));
      (void)decide(two);
    });
    start.arrive_and_wait();
    (void)decide(one);
    other.join();
    ASSERT_EQ(lines_of_log(), 5000 + 9);
  }
}

TEST_F(Rungs, AnotherRuleIsRefusedOrDecidesAgainWithWhatIsDone) {
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    score(init, 2, init[0]);
  }
  EXPECT_EQ(reached(1), "hgfe");
  std::string fewer = kEight;
  fewer.replace(fewer.find("eta: 2"), 6, "eta: 4");

  const std::string error = error_of([&] { open(fewer); });
  EXPECT_NE(error.find("rungs were decided by another rule: eta: 2 -> 4"), std::string::npos)
      << error;
  open(fewer, {.accept_changes = true});
  EXPECT_EQ(reached(1), "hg");
  open(fewer);  // by now it is the rule
  EXPECT_EQ(reached(1), "hg");
  EXPECT_EQ(lines_of_log(), 2 * 9);  // both rules' stay

  // More configurations: those that were stopped compete again.
  std::string fewer_still = kEight;
  fewer_still.replace(fewer_still.find("g, h"), 4, "g, h, i, j");
  open(fewer_still, {.accept_changes = true});
  EXPECT_EQ(next(), "ij");
  score("i", 2, 1);
  score("j", 2, 2);
  EXPECT_EQ(reached(1), "hgfed");
}

TEST_F(Rungs, RetryingAFailedTrialDecidesAgain) {
  fail("h", 2);
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g"}) {
    score(init, 2, init[0]);
  }
  EXPECT_EQ(reached(1), "gfed");

  open(kEight);
  EXPECT_EQ(reached(1), "gfed");
  open(kEight, {.retry_failed = true});

  EXPECT_EQ(next(), "h");
  score("h", 2, 1000);
  EXPECT_EQ(reached(1), "hgfe");
}

TEST_F(Rungs, ADamagedLogIsNamed) {
  write_atomically(store_.folder() / "decisions.jsonl", log() + "{\"rung\": 2, \n");

  const std::string error = error_of([&] { (void)Bracket(experiment_, store_); });
  EXPECT_NE(error.find("decisions.jsonl line 2: wanted a rule or a decision"), std::string::npos)
      << error;
}

TEST_F(Rungs, StatusCountsThem) {
  for (const char* init : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    score(init, 2, init[0] / 1000.0);
  }
  (void)decided();
  score("h", 4, 1);

  const std::vector<std::string> lines = words_of(status_text(store_.folder()));

  // 8 trainings of rung 2 and one of rung 4 are done, 3 and 4 may run or wait, 4 times 2 are
  // stopped.
  EXPECT_EQ(lines.at(4).substr(0, 16), "net fit 24 9 7 8");
  EXPECT_EQ(lines.at(10), "2 steps 8 8 4 0.1040");
  EXPECT_EQ(lines.at(11), "4 steps 4 1");
  EXPECT_EQ(lines.at(12), "8 steps");
}

}  // namespace
}  // namespace hepar::test
