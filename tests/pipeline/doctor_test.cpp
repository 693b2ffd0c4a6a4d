#include <gtest/gtest.h>
#include <hepar/pipeline/doctor.h>

#include <algorithm>

namespace hepar {
namespace {

RankFacts rank_on(const std::string& host, const std::vector<int>& processors) {
  return {.host = host,
          .processors = processors,
          .cores = processors,
          .threads = static_cast<std::int64_t>(processors.size()),
          .versions = {{"MPI", "Open MPI v4.1.4"}, {"CUDA", "13.0"}},
          .devices = {"H100", "H100"}};
}

/// Two hosts with two ranks of two processors and two GPUs each: nothing to complain of.
DoctorFacts healthy() {
  DoctorFacts facts;
  facts.announced_ranks = 4;
  for (const char* host : {"n1", "n2"}) {
    facts.ranks.push_back(rank_on(host, {0, 1}));
    facts.ranks.push_back(rank_on(host, {2, 3}));
  }
  facts.all_reduce = {{.bytes = 1 << 10, .median_s = 12e-6, .repeats = 9},
                      {.bytes = 16 << 20, .median_s = 8e-3, .repeats = 3}};
  facts.clocks = {{.host = "n2", .offset_s = -0.002, .uncertainty_s = 1e-5}};
  facts.folder = FolderFacts{.folder = "/scratch/exp",
                             .delay_s = 3e-4,
                             .delay_back_s = 2e-3,
                             .rounds = 20,
                             .free_bytes = 5e12};
  return facts;
}

Finding point(const DoctorFacts& facts, const std::string& name) {
  for (const Finding& finding : judge(facts)) {
    if (finding.point == name) {
      return finding;
    }
  }
  return {.point = "missing"};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What is wrong is named and there is something to do; nothing else is complained of.
void expect_only(const DoctorFacts& facts, const Finding& wanted) {
  for (const Finding& finding : judge(facts)) {
    if (finding.point == wanted.point) {
      EXPECT_EQ(to_string(finding.verdict), to_string(wanted.verdict)) << finding.found;
      EXPECT_TRUE(has(finding.found, wanted.found)) << finding.found;
      EXPECT_TRUE(has(finding.advice, wanted.advice)) << finding.advice;
      EXPECT_FALSE(finding.advice.empty());
    } else {
      EXPECT_EQ(to_string(finding.verdict), "ok") << finding.point << ": " << finding.found;
    }
  }
  const bool problem = wanted.verdict == Verdict::kProblem;
  EXPECT_EQ(exit_code(judge(facts)), problem ? wanted.code : ExitCode::kDone);
}

TEST(Doctor, FindsNothingWhereAllIsWell) {
  const std::vector<Finding> findings = judge(healthy());

  EXPECT_EQ(findings.size(), 12U);
  for (const Finding& finding : findings) {
    EXPECT_EQ(to_string(finding.verdict), "ok") << finding.point << ": " << finding.found;
    EXPECT_EQ(finding.advice, "") << finding.point;
  }
  EXPECT_EQ(exit_code(findings), ExitCode::kDone);
  EXPECT_EQ(point(healthy(), "launcher").found, "4 ranks, as announced");
  EXPECT_EQ(point(healthy(), "hosts").found, "2 hosts with 2 ranks each: n1, n2");
  EXPECT_EQ(point(healthy(), "all-reduce").found,
            "1 KiB 12 us (85 MB/s), 16 MiB 8.0 ms (2.1 GB/s)");
  EXPECT_EQ(point(healthy(), "clocks").found, "at most 2.0 ms apart (n2, known to 10 us)");
}

TEST(Doctor, SeesThatRanksDoNotFindEachOther) {
  DoctorFacts facts = healthy();
  facts.ranks.resize(1);
  facts.all_reduce.clear();
  facts.clocks.clear();

  expect_only(facts, {.point = "launcher",
                      .verdict = Verdict::kProblem,
                      .found = "it started 4, MPI sees 1",
                      .advice = "srun --mpi=pmix",
                      .code = ExitCode::kCommunication});
}

TEST(Doctor, TakesALoneProcessAsItIs) {
  DoctorFacts facts = healthy();
  facts.announced_ranks = 0;
  facts.ranks.resize(1);
  facts.all_reduce.clear();
  facts.clocks.clear();
  facts.folder.reset();

  EXPECT_EQ(exit_code(judge(facts)), ExitCode::kDone);
  EXPECT_EQ(point(facts, "launcher").found, "1 rank");
  EXPECT_EQ(point(facts, "hosts").found, "1 host with 1 rank: n1");
  EXPECT_EQ(point(facts, "space").point, "missing");
}

TEST(Doctor, NotesUnevenHosts) {
  DoctorFacts facts = healthy();
  facts.announced_ranks = 3;
  facts.ranks.pop_back();

  expect_only(facts, {.point = "hosts",
                      .verdict = Verdict::kNote,
                      .found = "2 hosts with 1 to 2 ranks each",
                      .advice = "as many on each"});
}

TEST(Doctor, SeesMoreRanksThanProcessors) {
  DoctorFacts facts = healthy();
  for (RankFacts& rank : facts.ranks) {
    rank.processors = rank.cores = {0};
    rank.threads = 1;
  }

  expect_only(facts, {.point = "processors",
                      .verdict = Verdict::kProblem,
                      .found = "n1 (2 ranks, 1 usable processor), n2 (",
                      .advice = "fewer ranks"});
}

TEST(Doctor, SeesTwoRanksBoundToOneProcessorOfMany) {
  DoctorFacts facts = healthy();
  facts.announced_ranks = 3;
  facts.clocks.clear();
  facts.ranks = {rank_on("n1", {0}), rank_on("n1", {0}), rank_on("n1", {1, 2, 3})};
  for (RankFacts& rank : facts.ranks) {
    rank.devices.resize(3, "H100");
  }

  EXPECT_EQ(point(facts, "processors").verdict, Verdict::kProblem);
  EXPECT_EQ(exit_code(judge(facts)), ExitCode::kFailure);
}

TEST(Doctor, NotesRanksOnTheThreadsOfOneCore) {
  DoctorFacts facts = healthy();
  facts.ranks[0].cores = facts.ranks[1].cores = {0, 0};

  expect_only(facts, {.point = "processors",
                      .verdict = Verdict::kNote,
                      .found = "ranks share cores: n1 (2 ranks, 1 core)",
                      .advice = "a rank a core"});
}

TEST(Doctor, SeesUnequalThreads) {
  DoctorFacts facts = healthy();
  facts.ranks[2].threads = 1;

  expect_only(facts, {.point = "threads",
                      .verdict = Verdict::kProblem,
                      .found = "1 to 2 a rank",
                      .advice = "run.threads=1",
                      .code = ExitCode::kCommunication});
}

TEST(Doctor, SeesAnotherVersionOnAnotherHost) {
  DoctorFacts facts = healthy();
  facts.ranks[3].versions["MPI"] = "MPICH Version: 4.0";

  expect_only(facts, {.point = "versions",
                      .verdict = Verdict::kProblem,
                      .found = "MPI: rank 0 on n1 has 'Open MPI v4.1.4', rank 3 on n2 'MPICH",
                      .advice = "same libraries",
                      .code = ExitCode::kCommunication});
}

TEST(Doctor, NotesThatThereIsNoGpu) {
  DoctorFacts facts = healthy();
  for (RankFacts& rank : facts.ranks) {
    rank.devices.clear();
  }
  expect_only(
      facts,
      {.point = "GPUs", .verdict = Verdict::kNote, .found = "none", .advice = "--gpus-per-node"});
  for (RankFacts& rank : facts.ranks) {
    rank.versions["CUDA"] = "";
  }
  EXPECT_TRUE(has(point(facts, "GPUs").advice, "HEPAR_CUDA=ON"));
}

TEST(Doctor, SeesRanksWithoutADevice) {
  DoctorFacts facts = healthy();
  facts.ranks[3].devices.resize(1);

  expect_only(facts, {.point = "GPUs",
                      .verdict = Verdict::kProblem,
                      .found = "n2 (2 ranks, 1 device)",
                      .advice = "not --gpus-per-task"});
}

TEST(Doctor, SeesWrongSumsAndNotesSlowOnes) {
  DoctorFacts facts = healthy();
  facts.all_reduce[1].median_s = 1;
  expect_only(facts, {.point = "all-reduce",
                      .verdict = Verdict::kNote,
                      .found = "16 MiB 1.0 s (17 MB/s)",
                      .advice = "btl_tcp_if_include"});
  facts.all_reduce[0].right = false;
  expect_only(facts, {.point = "all-reduce",
                      .verdict = Verdict::kProblem,
                      .found = "wrong sums",
                      .advice = "transport",
                      .code = ExitCode::kCommunication});
}

TEST(Doctor, NotesClocksOnlyWhereTheyAreSurelyApart) {
  DoctorFacts facts = healthy();
  facts.clocks.push_back({.host = "n3", .offset_s = -2, .uncertainty_s = 1.5});
  EXPECT_EQ(point(facts, "clocks").verdict, Verdict::kOk);
  facts.clocks[1].uncertainty_s = 0.001;
  expect_only(facts, {.point = "clocks",
                      .verdict = Verdict::kNote,
                      .found = "2.0 s apart (n3",
                      .advice = "chronyd"});
}

TEST(Doctor, SeesAFolderThatIsNotShared) {
  DoctorFacts facts = healthy();
  facts.folder->unseen = {"rank 3 on n2"};
  expect_only(facts, {.point = "shared files",
                      .verdict = Verdict::kProblem,
                      .found = "/scratch/exp: rank 0 did not see what was written by rank 3 on n2",
                      .advice = "all hosts mount",
                      .code = ExitCode::kBadData});
  facts.folder->blind = {"a", "b", "c", "d", "e", "f"};
  EXPECT_TRUE(has(point(facts, "shared files").found, "not seen by a, b, c, d and 2 more"));
  EXPECT_EQ(point(facts, "claims").point, "missing");  // nothing was tried
}

TEST(Doctor, SeesAFolderThatCannotBeUsed) {
  DoctorFacts facts = healthy();
  facts.folder->problem = "/scratch/exp: no such folder";

  expect_only(facts, {.point = "shared files",
                      .verdict = Verdict::kProblem,
                      .found = "/scratch/exp: no such folder",
                      .advice = "--folder",
                      .code = ExitCode::kBadData});
}

TEST(Doctor, SeesClaimsWithTwoWinners) {
  DoctorFacts facts = healthy();
  Finding wanted{.point = "claims",
                 .verdict = Verdict::kProblem,
                 .found = "a rename had not one winner, 1 of 20 times",
                 .advice = "NFS 4",
                 .code = ExitCode::kBadData};
  facts.folder->shared_renames = 1;
  expect_only(facts, wanted);
  facts.folder->shared_creations = 20;
  wanted.found = "exclusive creation had not one winner, 20 of 20 times";
  expect_only(facts, wanted);
}

TEST(Doctor, NotesLocksThatDoNotHold) {
  DoctorFacts facts = healthy();
  facts.folder->lock_excludes = false;
  expect_only(facts, {.point = "file locks",
                      .verdict = Verdict::kNote,
                      .found = "unknown to others",
                      .advice = "do not trust"});
  facts.folder->lock_error = "rank 0 on n1: No locks available";
  expect_only(facts, {.point = "file locks",
                      .verdict = Verdict::kNote,
                      .found = "No locks available",
                      .advice = "HDF5_USE_FILE_LOCKING"});
}

TEST(Doctor, SeesAFullFolder) {
  DoctorFacts facts = healthy();
  facts.folder->free_bytes = 5.0 * (1 << 30);
  expect_only(facts, {.point = "space",
                      .verdict = Verdict::kNote,
                      .found = "5 GiB free",
                      .advice = "checkpoints"});
  facts.folder->free_bytes = 512.0 * (1 << 20);
  expect_only(facts, {.point = "space",
                      .verdict = Verdict::kProblem,
                      .found = "512 MiB free",
                      .advice = "make room",
                      .code = ExitCode::kBadData});
}

TEST(Doctor, TheFirstProblemGivesTheExitCode) {
  DoctorFacts facts = healthy();
  facts.folder->problem = "no";
  facts.ranks[3].versions["MPI"] = "other";

  EXPECT_EQ(exit_code(judge(facts)), ExitCode::kCommunication);
}

TEST(Doctor, PrintsATableAndWhatToDo) {
  DoctorFacts facts = healthy();
  facts.folder->problem = "/x: no such folder";
  facts.ranks[2].threads = 1;

  const std::string text = doctor_text(judge(facts));

  EXPECT_TRUE(has(text, "\nlauncher      ok       4 ranks")) << text;
  EXPECT_TRUE(has(text, "\nshared files  problem  /x: no such folder\n")) << text;
  EXPECT_TRUE(has(text, "\nthreads: a training wants the same")) << text;
  EXPECT_TRUE(text.ends_with("\n2 problems, no notes")) << text;
  EXPECT_TRUE(doctor_text(judge(healthy())).ends_with("\nno problems, no notes"));
}

TEST(Doctor, GivesEverythingAsJson) {
  const Json document = doctor_json(judge(healthy()), healthy());

  EXPECT_EQ(document["verdict"], "ok");
  EXPECT_EQ(document["findings"].size(), 12U);
  EXPECT_EQ(document["all_reduce"][1]["bytes_per_s"], (16 << 20) / 8e-3);
  EXPECT_EQ(document["clocks"][0]["host"], "n2");
  EXPECT_EQ(document["folder"]["rounds"], 20);
  const RankFacts again = rank_facts_from_json(document["ranks"][3], "rank 3");
  EXPECT_EQ(again.host, "n2");
  EXPECT_EQ(again.processors, (std::vector<int>{2, 3}));
  EXPECT_EQ(again.versions, healthy().ranks[3].versions);
  EXPECT_EQ(again.devices.size(), 2U);
}

}  // namespace
}  // namespace hepar
