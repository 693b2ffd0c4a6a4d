#include "hepar/train/lease.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "support/temporary.h"
#include "train/process.h"

namespace hepar {
namespace {

using test::Process;

constexpr double kBeat = 0.2;  // seconds; three of them are longer than any pause of a busy machine

class LeaseOf : public testing::Test {
 protected:
  /// What taking the lease says; empty when it is given.
  std::string refusal(double heartbeat_s = kBeat) const {
    try {
      const Lease lease(run, heartbeat_s);
      return "";
    } catch (const CommError& e) {
      return e.what();
    }
  }
  /// A process that takes the lease and, when poked, checks it: exit 0 when it still holds it, 4
  /// when it was fenced.
  std::unique_ptr<Process> holder(double heartbeat_s = kBeat) const {
    auto process = std::make_unique<Process>([this, heartbeat_s](Process& self) {
      const Lease lease(run, heartbeat_s);
      self.tell();
      self.wait();
      try {
        lease.check();
        return 0;
      } catch (const CommError&) {
        return 4;
      }
    });
    process->wait_ready();
    return process;
  }
  Json record(int generation) const {
    return read_json(run / "lease" / (std::to_string(generation) + ".json"));
  }

  test::TemporaryFolder folder;
  fs::path run = folder.path() / "run";
};

std::string host() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

TEST_F(LeaseOf, AFreeFolderIsTakenAndGivenBack) {
  {
    const Lease first(run, kBeat);
    EXPECT_EQ(first.generation(), 1);
    EXPECT_NO_THROW(first.check());
    EXPECT_EQ(record(1).at("pid"), ::getpid());
    EXPECT_EQ(record(1).at("host"), host());
    EXPECT_FALSE(record(1).at("released"));
  }
  EXPECT_TRUE(record(1).at("released"));
  const auto start = std::chrono::steady_clock::now();

  const Lease second(run, 10);

  EXPECT_EQ(second.generation(), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // no beat waited
}

TEST_F(LeaseOf, ALivingRunIsNotReplaced) {
  const auto process = holder();

  const std::string text = refusal();

  EXPECT_NE(text.find(run.string()), std::string::npos) << text;
  EXPECT_NE(text.find("process " + std::to_string(process->pid())), std::string::npos) << text;
  EXPECT_NE(text.find(host()), std::string::npos) << text;
  process->poke();
  EXPECT_EQ(process->join(), 0);  // and it was not disturbed
}

TEST_F(LeaseOf, ALivingRunWithASlowerHeartbeatIsNotReplaced) {
  const auto process = holder(0.5);

  EXPECT_NE(refusal(0.05), "");

  process->poke();
  EXPECT_EQ(process->join(), 0);
}

TEST_F(LeaseOf, AHeartbeatThatFailsDoesNotEndTheRun) {
  const auto process = holder(0.05);
  const fs::path no_number = run / "lease" / (std::string(30, '9') + ".json");

  std::ofstream(no_number).close();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  fs::remove(no_number);
  process->poke();

  EXPECT_EQ(process->join(), 0);
}

TEST_F(LeaseOf, ALivingRunIsNotWaitedForWhenTheRestIsBetterDoneFirst) {
  const auto process = holder(10);
  const auto start = std::chrono::steady_clock::now();

  EXPECT_THROW(Lease(run, 10, {}, IfHeld::kRefuse), CommError);

  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  process->poke();
  EXPECT_EQ(process->join(), 0);
  EXPECT_EQ(Lease(run, 10, {}, IfHeld::kRefuse).generation(), 2);  // given back: taken at once
}

TEST_F(LeaseOf, TheJobIsNamed) {
  ::setenv("SLURM_JOB_ID", "4711", 1);
  const auto process = holder();
  ::unsetenv("SLURM_JOB_ID");

  EXPECT_NE(refusal().find("job 4711"), std::string::npos);
}

/// The environment of a Slurm job, as long as it lives.
class SlurmJob {
 public:
  SlurmJob(const char* id, const char* restart) {
    ::setenv("SLURM_JOB_ID", id, 1);
    ::setenv("SLURM_RESTART_COUNT", restart, 1);
  }
  ~SlurmJob() {
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_RESTART_COUNT");
  }
  SlurmJob(const SlurmJob&) = delete;
  SlurmJob& operator=(const SlurmJob&) = delete;
  SlurmJob(SlurmJob&&) = delete;
  SlurmJob& operator=(SlurmJob&&) = delete;
};

TEST_F(LeaseOf, ALaterStartOfItsSlurmJobReplacesALivingRunAtOnce) {
  std::unique_ptr<Process> process;
  {
    const SlurmJob first("7", "0");
    process = holder();
  }
  const SlurmJob later("7", "1");
  const auto start = std::chrono::steady_clock::now();

  const Lease lease(run, 10);

  EXPECT_EQ(lease.generation(), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  process->poke();
  EXPECT_EQ(process->join(), 4);
}

TEST_F(LeaseOf, TheLossIsTold) {
  std::atomic<bool> lost = false;
  std::unique_ptr<Lease> first;
  {
    const SlurmJob job("7", "0");
    first = std::make_unique<Lease>(run, kBeat, [&] { lost = true; });
  }
  const SlurmJob later("7", "1");
  const Lease second(run, kBeat);

  for (int i = 0; i < 100 && !lost; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(lost);
}

TEST_F(LeaseOf, WhoDiedWithItsAllocationIsToldFromWhoDiedInIt) {
  const auto fate = [this] { return holder_fates({run}).front(); };
  EXPECT_EQ(fate(), HolderFate::kGaveBack);
  const SlurmJob job("7", "0");
  const auto process = holder();
  EXPECT_EQ(fate(), HolderFate::kAlive);

  process->send(SIGKILL);
  process->join();

  EXPECT_EQ(fate(), HolderFate::kDied);
  const SlurmJob requeued("7", "1");
  EXPECT_EQ(fate(), HolderFate::kLost);
  const SlurmJob another("8", "0");
  EXPECT_EQ(fate(), HolderFate::kLost);
}

TEST_F(LeaseOf, OneOfTwoThatComeAtOnceGetsIt) {
  std::vector<std::unique_ptr<Process>> both;
  for (int i = 0; i < 2; ++i) {
    both.push_back(std::make_unique<Process>([this](Process& self) {
      self.wait();
      try {
        const Lease lease(run, kBeat);
        std::this_thread::sleep_for(std::chrono::milliseconds(1000));
        lease.check();
        return 0;
      } catch (const CommError&) {
        return 4;
      }
    }));
  }
  for (const auto& process : both) {
    process->poke();
  }

  EXPECT_EQ(both[0]->join() + both[1]->join(), 4);  // 0 + 4
}

TEST_F(LeaseOf, AKilledRunIsReplacedAtOnce) {
  const auto process = holder(10);
  process->send(SIGKILL);
  EXPECT_EQ(process->join(), -SIGKILL);
  const auto start = std::chrono::steady_clock::now();

  const Lease successor(run, 10);

  EXPECT_EQ(successor.generation(), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_FALSE(record(1).at("released"));
}

// A number is used again for other processes; their start times differ.
TEST_F(LeaseOf, AnotherProcessWithTheDeadOnesNumberIsNotTakenForIt) {
  { const Lease first(run, kBeat); }
  Json left = record(1);
  left["released"] = false;
  left["started"] = "1";
  write_json(run / "lease/1.json", left);
  const auto start = std::chrono::steady_clock::now();

  EXPECT_EQ(Lease(run, 10).generation(), 2);

  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(LeaseOf, ARunSilentForThreeBeatsIsReplacedAndFenced) {
  const auto process = holder();
  process->send(SIGSTOP);

  const Lease successor(run, kBeat);
  EXPECT_EQ(successor.generation(), 2);
  process->send(SIGCONT);
  process->poke();

  EXPECT_EQ(process->join(), 4);  // its check() threw CommError
  EXPECT_NO_THROW(successor.check());
  EXPECT_FALSE(record(1).at("released"));  // the fenced one wrote nothing more
}

TEST_F(LeaseOf, AnotherHostIsWaitedForAndThenReplaced) {
  { const Lease first(run, kBeat); }
  Json left = record(1);
  left["released"] = false;
  left["host"] = "some-other-host";
  write_json(run / "lease/1.json", left);
  const auto start = std::chrono::steady_clock::now();

  EXPECT_EQ(Lease(run, kBeat).generation(), 2);

  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500));
}

// The file of a lease exists for a moment before its content: who comes then must not take over.
TEST_F(LeaseOf, ALeaseBeingWrittenIsRespected) {
  { const Lease first(run, kBeat); }
  const Json complete = [&] {
    Json json = record(1);
    json["generation"] = 2;
    json["released"] = false;
    return json;
  }();
  std::ofstream(run / "lease/2.json").close();
  std::jthread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    write_json(run / "lease/2.json", complete);
  });

  EXPECT_NE(refusal(0.1), "");
}

TEST_F(LeaseOf, AnAbandonedEmptyLeaseIsReplaced) {
  { const Lease first(run, kBeat); }
  std::ofstream(run / "lease/2.json").close();

  EXPECT_EQ(Lease(run, kBeat).generation(), 3);
}

// A user who deletes the folder of a running training gets an error, not a crash.
TEST_F(LeaseOf, ADeletedFolderIsAnErrorOfTheNextCheck) {
  const Lease lease(run, 0.05);
  fs::remove_all(run);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // some beats

  EXPECT_THROW(lease.check(), CommError);
  EXPECT_FALSE(fs::exists(run / "lease/1.json"));
}

TEST_F(LeaseOf, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(run).close();

  EXPECT_THROW(Lease(run, kBeat), DataError);
}

}  // namespace
}  // namespace hepar
