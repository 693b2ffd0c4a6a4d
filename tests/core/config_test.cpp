#include "hepar/core/config.h"

#include <gtest/gtest.h>

#include "hepar/core/command_line.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "support/temporary.h"

namespace hepar {
namespace {

struct OptimSection {
  double lr = 0.01;
  std::string name = "sgd";
  void declare(ConfigSchema& schema) {
    schema.add("lr", lr, "Learning rate", Range{.low = 0});
    schema.add_choice("name", name, {"sgd", "adam"}, "Optimizer");
  }
};

struct ExampleConfig {
  std::string out;
  std::int64_t steps = 100;
  bool exclude_bad = false;
  std::vector<double> spacing{1, 1, 1};
  std::vector<std::string> names;
  OptimSection optim;
  void declare(ConfigSchema& schema) {
    schema.add("out", out, "Folder", {}, Effect::kNone);
    schema.add("steps", steps, "Steps", Range{.low = 1, .high = 1000});
    schema.add("exclude_bad", exclude_bad, "Leave bad cases out");
    schema.add("spacing", spacing, "Spacing, mm", Range{.low = 0});
    schema.add("names", names, "Names");
    schema.section("optim", optim);
  }
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "nothing thrown";
}

class Config : public ::testing::Test {
 protected:
  Config() { config.declare(schema); }
  ExampleConfig config;
  ConfigSchema schema;
};

TEST_F(Config, ReadsNestedKeysOfEveryType) {
  schema.read_yaml_text(
      "out: a b\nsteps: 7\nexclude_bad: true\nspacing: [3, 0.5, 0.5]\nnames: [x, y]\n"
      "optim: {lr: 3e-4, name: adam}\n",
      "test.yaml");

  EXPECT_EQ(config.out, "a b");
  EXPECT_EQ(config.steps, 7);
  EXPECT_TRUE(config.exclude_bad);
  EXPECT_EQ(config.spacing, (std::vector<double>{3, 0.5, 0.5}));
  EXPECT_EQ(config.names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(config.optim.lr, 3e-4);
  EXPECT_EQ(config.optim.name, "adam");
}

TEST_F(Config, NamesAllProblemsWithLineAndNearestKey) {
  const std::string message = message_of([&] {
    schema.read_yaml_text("stepps: 7\nsteps: many\noptim:\n  lrr: 1\n  lr: -1\n  name: sgdd\n",
                          "t.yaml");
  });

  EXPECT_NE(message.find("t.yaml:1: unknown key 'stepps'; did you mean 'steps'?"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("t.yaml:2: steps: wanted an integer, found 'many'"), std::string::npos)
      << message;
  EXPECT_NE(message.find("unknown key 'optim.lrr'; did you mean 'optim.lr'?"), std::string::npos)
      << message;
  EXPECT_NE(message.find("optim.lr: wanted >= 0, found -1"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'sgd'?"), std::string::npos) << message;
}

TEST_F(Config, SetTakesListsAsAShellUserTypesThem) {
  schema.set("spacing=2.0,0.78,0.78");
  schema.set("names=a,b");
  schema.set("optim.lr=0.5");

  EXPECT_EQ(config.spacing, (std::vector<double>{2.0, 0.78, 0.78}));
  EXPECT_EQ(config.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.optim.lr, 0.5);
  EXPECT_NE(message_of([&] { schema.set("optim.rl=1"); }).find("did you mean 'optim.lr'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { schema.set("steps=0"); }).find("wanted 1 … 1000, found 0"),
            std::string::npos);
}

TEST_F(Config, ResolvedYamlReadsBackEqual) {
  schema.set("optim.lr=0.1");
  schema.set("out=we: ird #path");
  schema.set("names=a,b");
  ExampleConfig again;
  ConfigSchema other;
  again.declare(other);

  other.read_yaml_text(schema.to_yaml(), "resolved");

  EXPECT_EQ(other.to_json(), schema.to_json());
  EXPECT_EQ(again.out, "we: ird #path");
}

TEST_F(Config, ResultKeysLeaveOutDefaultsAndWhatDoesNotMatter) {
  schema.set("out=somewhere");
  schema.set("steps=5");

  EXPECT_EQ(result_keys(config).dump(), R"({"steps":5})");
}

TEST_F(Config, BrokenYamlIsAConfigErrorWithItsLine) {
  EXPECT_NE(message_of([&] { schema.read_yaml_text("a: [1\nb: 2", "t.yaml"); }).find("t.yaml:"),
            std::string::npos);
}

TEST_F(Config, CommandLineGoesOverFileAndFlagsTakeDashes) {
  const test::TemporaryFolder folder;
  write_atomically(folder.path() / "c.yaml", std::string("steps: 5\noptim: {lr: 0.2}\n"));

  const CommandAction action =
      parse_command({"hepar", "x", "does"},
                    {"--config", (folder.path() / "c.yaml").string(), "--exclude-bad", "--set",
                     "optim.lr=0.3", "--out", "there", "--dry-run"},
                    schema);

  EXPECT_EQ(action, CommandAction::kDryRun);
  EXPECT_EQ(config.steps, 5);
  EXPECT_TRUE(config.exclude_bad);
  EXPECT_EQ(config.optim.lr, 0.3);
  EXPECT_EQ(config.out, "there");
}

TEST_F(Config, UnknownFlagNamesTheNearest) {
  const std::string message = message_of([&] {
    parse_command({"hepar", "x", "does"}, {"--exclud-bad"}, schema);
  });

  EXPECT_NE(message.find("did you mean '--exclude-bad'?"), std::string::npos) << message;
}

}  // namespace
}  // namespace hepar
