#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "hepar/io/manifest.h"
#include "prep/cohorts.h"
#include "support/temporary.h"

namespace hepar {
namespace {

/// hepar-prep as a user starts it: a process of its own.
class Program {
 public:
  Program(std::vector<std::string> words, const fs::path& output) {
    words.insert(words.begin(), HEPAR_BINARY_DIR "/bin/hepar-prep");
    pid_ = ::fork();
    if (pid_ == 0) {
      const int file = ::open(output.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
      ::dup2(file, 1);
      ::dup2(file, 2);
      std::vector<char*> arguments;
      for (std::string& word : words) {
        arguments.push_back(word.data());
      }
      arguments.push_back(nullptr);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~Program() { wait(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  Program(Program&&) = delete;
  Program& operator=(Program&&) = delete;

  void kill() const { ::kill(pid_, SIGKILL); }

  /// Exit code, or minus the signal that ended it.
  int wait() {
    if (!waited_) {
      int status = 0;
      ::waitpid(pid_, &status, 0);
      waited_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return code_;
  }

 private:
  pid_t pid_ = -1;
  bool waited_ = false;
  int code_ = 0;
};

class PrepProgram : public ::testing::Test {
 protected:
  int run(const std::vector<std::string>& words) { return Program(words, log_).wait(); }
  std::string said() const { return read_text(log_); }
  std::vector<std::string> convert_words(const fs::path& out) const {
    return {"convert", "--source",   "nnunet",     "--in", in_.string(),
            "--out",   out.string(), "--shard-mb", "1"};
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path out_ = folder_.path() / "cohort";
  fs::path log_ = folder_.path() / "log.txt";
};

TEST_F(PrepProgram, ExitsWithTheDocumentedCodes) {
  test::write_nnunet_cohort(in_, 3);
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_EQ(run({"convrt"}), 2);
  EXPECT_TRUE(test::contains(said(), "did you mean 'convert'?"));
  EXPECT_EQ(run({"convert", "--sorce", "nnunet"}), 2);
  EXPECT_EQ(run(convert_words(out_)), 0) << said();
  EXPECT_EQ(run({"verify", out_.string()}), 0) << said();
  EXPECT_EQ(run({"inspect", out_.string(), "--json"}), 0) << said();
  EXPECT_EQ(run({"export", out_.string(), "--out", (folder_.path() / "files").string()}), 0);
  EXPECT_TRUE(fs::exists(folder_.path() / "files/case_02/T2.nii.gz"));
  test::flip_byte(out_ / "shards/shard-00000.h5", 3000);
  EXPECT_EQ(run({"verify", out_.string()}), 3);
  EXPECT_TRUE(test::contains(said(), "shard-00000.h5"));
  fs::resize_file(in_ / "imagesTr/case_01_0000.nii.gz", 100);
  EXPECT_EQ(run(convert_words(folder_.path() / "other")), 3);
  EXPECT_TRUE(test::contains(said(), "case_01"));
  EXPECT_EQ(run({"inspect", (in_ / "imagesTr/case_01_0000.nii.gz").string()}), 3);
  EXPECT_EQ(run({"inspect", in_.string()}), 0);
}

TEST_F(PrepProgram, IsKilledAndContinues) {
  test::write_nnunet_cohort(in_, 0);
  for (int i = 0; i < 12; ++i) {
    StoredImage image = test::small_image(i);
    image.grid.size = {40, 128, 128};
    image.voxels.resize(2 * 40 * 128 * 128);
    std::uint64_t state = static_cast<std::uint64_t>(i) + 1;
    for (std::byte& byte : image.voxels) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::byte>(state >> 60);
    }
    test::write_image(in_ / ("imagesTs/case_" + std::to_string(i) + "_0000.nii"), image);
  }
  test::write_file(in_ / "dataset.json",
                   R"({"channel_names": {"0": "T2"}, "labels": {"background": 0, "liver": 1},
                       "file_ending": ".nii"})");
  ASSERT_EQ(run(convert_words(out_)), 0) << said();
  const fs::path killed = folder_.path() / "killed";
  {
    Program program(convert_words(killed), log_);
    while (!fs::exists(killed.string() + ".partial/records/1.json") && !fs::exists(killed)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    program.kill();
    EXPECT_EQ(program.wait(), -SIGKILL);
  }
  ASSERT_FALSE(fs::exists(killed));
  const auto kept = fs::last_write_time(killed.string() + ".partial/shards/shard-00000.h5");

  ASSERT_EQ(run(convert_words(killed)), 0) << said();

  EXPECT_EQ(fs::last_write_time(killed / "shards/shard-00000.h5"), kept);
  EXPECT_EQ(read_manifest(out_).shards.size(), 12u);
  for (const auto& entry : fs::recursive_directory_iterator(out_)) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(read_bytes(entry.path()),
                read_bytes(killed / entry.path().lexically_relative(out_)));
    }
  }
}

}  // namespace
}  // namespace hepar
