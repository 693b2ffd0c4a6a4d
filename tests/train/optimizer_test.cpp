#include "hepar/train/optimizer.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hepar/core/error.h"
#include "support/temporary.h"

namespace hepar {
namespace {

at::Tensor parameter(std::vector<float> values) { return at::tensor(values).requires_grad_(true); }

OptimizerConfig sgd(double momentum, bool nesterov, double weight_decay) {
  OptimizerConfig config;
  config.momentum = momentum;
  config.nesterov = nesterov;
  config.weight_decay = weight_decay;
  config.clip_norm = 0;
  return config;
}

/// The parameter after each of the steps that these gradients make, one step each.
std::vector<double> walk(const OptimizerConfig& config, double start, double lr,
                         const std::vector<double>& gradients) {
  const at::Tensor p = parameter({static_cast<float>(start)});
  Optimizer optimizer({{"p", p}}, config);
  std::vector<double> path;
  for (const double gradient : gradients) {
    p.mutable_grad() = at::tensor({static_cast<float>(gradient)});
    optimizer.step(lr);
    path.push_back(p.item<double>());
  }
  return path;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], wanted[i], 1e-6) << "step " << i;
  }
}

// Velocities 1, 1.9, 2.71; each step goes gradient + 0.9 velocity.
TEST(Optimizer, SgdNesterovByHand) {
  expect_near(walk(sgd(0.9, true, 0), 1, 0.1, {1, 1, 1}), {0.81, 0.539, 0.1951});
}

TEST(Optimizer, SgdHeavyBallByHand) {
  expect_near(walk(sgd(0.9, false, 0), 1, 0.1, {1, 1, 1}), {0.9, 0.71, 0.439});
}

// Gradients with the penalty: 1.1 and 1.0791; velocities 1.1 and 2.0691.
TEST(Optimizer, SgdWeightDecayIsPartOfTheGradient) {
  expect_near(walk(sgd(0.9, true, 0.1), 1, 0.1, {1, 1}), {0.791, 0.496871});
}

TEST(Optimizer, TheBackboneHasARateOfItsOwn) {
  OptimizerConfig config = sgd(0, false, 0);
  config.backbone_lr = 0.25;
  const at::Tensor stem = parameter({1}), head = parameter({1});
  Optimizer optimizer({{"backbone.conv1.weight", stem}, {"head.weight", head}}, config);
  for (int step = 0; step < 2; ++step) {
    stem.mutable_grad() = head.mutable_grad() = at::tensor({1.0F});
    optimizer.step(0.4);
  }

  EXPECT_NEAR(head.item<double>(), 0.2, 1e-6);
  EXPECT_NEAR(stem.item<double>(), 0.8, 1e-6);
}

TEST(Optimizer, DividesByTheLossScaleBeforeItClips) {
  OptimizerConfig config = sgd(0, false, 0);
  config.clip_norm = 2;
  const at::Tensor p = parameter({1});
  Optimizer optimizer({{"p", p}}, config);
  p.mutable_grad() = at::tensor({4096.0F});

  EXPECT_NEAR(optimizer.step(0.1, 1024), 4, 1e-6);
  EXPECT_NEAR(p.item<double>(), 1 - 0.1 * 2, 1e-6);
}

TEST(Optimizer, MakesNoStepWithAGradientThatIsNotFinite) {
  const at::Tensor p = parameter({1});
  Optimizer optimizer({{"p", p}}, sgd(0.9, true, 0));
  p.mutable_grad() = at::tensor({std::numeric_limits<float>::infinity()});

  EXPECT_FALSE(std::isfinite(optimizer.step(0.1)));
  EXPECT_EQ(p.item<double>(), 1);
  EXPECT_FALSE(p.grad().defined());
}

TEST(Optimizer, SgdWithoutMomentumTakesNoNesterov) {
  expect_near(walk(sgd(0, true, 0), 1, 0.5, {1, -2}), {0.5, 1.5});
}

/// The three steps of Adam with gradients 1, −2, 3 from the bias-corrected moments of its paper.
std::vector<double> adam_moves(double lr) {
  double m = 0, v = 0;
  std::vector<double> moves;
  const std::vector<double> gradients{1, -2, 3};
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    m = 0.9 * m + 0.1 * gradients[i];
    v = 0.999 * v + 0.001 * gradients[i] * gradients[i];
    const double steps = static_cast<double>(i + 1);
    const double m_hat = m / (1 - std::pow(0.9, steps));
    const double v_hat = v / (1 - std::pow(0.999, steps));
    moves.push_back(lr * m_hat / (std::sqrt(v_hat) + 1e-8));
  }
  return moves;
}

TEST(Optimizer, AdamByHand) {
  OptimizerConfig config = sgd(0, false, 0);
  config.name = "adam";
  const std::vector<double> moves = adam_moves(0.1);
  ASSERT_NEAR(moves[1], -0.0366105, 1e-6);  // −0.11 / 0.19 over √(0.004999 / 0.001999), times 0.1
  const double first = 1 - moves[0], second = first - moves[1];

  expect_near(walk(config, 1, 0.1, {1, -2, 3}), {first, second, second - moves[2]});
}

// The decay multiplies the weight before Adam's step and stays out of its moments.
TEST(Optimizer, AdamWDecaysApartFromTheGradient) {
  OptimizerConfig config = sgd(0, false, 0.2);
  config.name = "adamw";
  const std::vector<double> moves = adam_moves(0.1);
  const double first = 0.98 - moves[0], second = 0.98 * first - moves[1];

  expect_near(walk(config, 1, 0.1, {1, -2, 3}), {first, second, 0.98 * second - moves[2]});
}

TEST(Optimizer, AdamPenaltyIsPartOfTheGradient) {
  OptimizerConfig config = sgd(0, false, 0.2);
  config.name = "adam";

  // At the first step Adam moves by lr, whatever the size of the gradient; here its sign turns.
  expect_near(walk(config, 1, 0.1, {-0.1}), {0.9});
}

TEST(Optimizer, ClipsTheNormOverAllParameters) {
  OptimizerConfig config = sgd(0, false, 0);
  config.clip_norm = 1;
  const at::Tensor a = parameter({0, 0}), b = parameter({0});
  Optimizer optimizer({{"a", a}, {"b", b}}, config);
  a.mutable_grad() = at::tensor({2.0F, 4.0F});
  b.mutable_grad() = at::tensor({-4.0F});

  EXPECT_NEAR(optimizer.step(1), 6, 1e-6);

  EXPECT_TRUE(at::allclose(a, at::tensor({-1.0F / 3, -2.0F / 3})));
  EXPECT_NEAR(b.item<double>(), 2.0 / 3, 1e-6);
  EXPECT_FALSE(a.grad().defined());  // nothing is left to be added to
}

TEST(Optimizer, LeavesAShortGradientAlone) {
  OptimizerConfig config = sgd(0, false, 0);
  config.clip_norm = 7;
  const at::Tensor p = parameter({1});
  Optimizer optimizer({{"p", p}}, config);
  p.mutable_grad() = at::tensor({6.0F});

  EXPECT_NEAR(optimizer.step(1), 6, 1e-6);

  EXPECT_EQ(p.item<float>(), -5);
}

// The trainer stops a run whose gradient is not finite: it must see it without clipping too.
TEST(Optimizer, TellsTheNormWhenNothingIsClipped) {
  const at::Tensor p = parameter({1, 1});
  Optimizer optimizer({{"p", p}}, sgd(0, false, 0));
  p.mutable_grad() = at::tensor({3.0F, -4.0F});
  EXPECT_NEAR(optimizer.step(1), 5, 1e-6);
  EXPECT_TRUE(at::equal(p, at::tensor({-2.0F, 5.0F})));

  p.mutable_grad() = at::tensor({std::numeric_limits<float>::infinity(), 0.0F});
  EXPECT_FALSE(std::isfinite(optimizer.step(1)));
}

/// Two parameters and gradients that differ at every step and place.
struct Training {
  at::Tensor weight = at::linspace(-1, 1, 24).reshape({2, 3, 4}).requires_grad_(true);
  at::Tensor bias = parameter({0.5F, -0.25F});
  Optimizer optimizer;

  explicit Training(const OptimizerConfig& config)
      : optimizer({{"net.weight", weight}, {"net.bias", bias}}, config) {}
  void step(int number) {
    weight.mutable_grad() = at::sin(weight.detach() * 7 + number);
    bias.mutable_grad() = at::cos(bias.detach() * 5 - number);
    optimizer.step(0.01 / number);
  }
};

class OptimizerState : public testing::TestWithParam<const char*> {
 protected:
  OptimizerState() { config.name = GetParam(); }
  OptimizerConfig config;
  test::TemporaryFolder folder;
};

TEST_P(OptimizerState, GoesThroughAFileAndGivesTheSameBits) {
  Training straight(config), resumed(config);
  EXPECT_TRUE(straight.optimizer.state().empty());
  for (int i = 1; i <= 3; ++i) {
    straight.step(i);
  }
  const auto file = folder.path() / "optimizer.safetensors";
  write_tensors(file, straight.optimizer.state());
  copy_tensors({{"net.weight", straight.weight.detach().clone()},
                {"net.bias", straight.bias.detach().clone()}},
               {{"net.weight", resumed.weight}, {"net.bias", resumed.bias}}, "test");
  resumed.optimizer.load_state(read_tensors(file), file.string());
  const at::Tensor at_three = straight.weight.detach().clone();

  for (int i = 4; i <= 5; ++i) {
    straight.step(i);
    resumed.step(i);
  }

  EXPECT_FALSE(at::equal(straight.weight, at_three));
  EXPECT_TRUE(at::equal(straight.weight, resumed.weight));
  EXPECT_TRUE(at::equal(straight.bias, resumed.bias));
  EXPECT_EQ(hash_tensors(straight.optimizer.state()), hash_tensors(resumed.optimizer.state()));
}

TEST_P(OptimizerState, MattersForTheNextStep) {
  Training straight(config), forgetful(config);
  straight.step(1);
  copy_tensors({{"w", straight.weight.detach().clone()}}, {{"w", forgetful.weight}}, "test");

  straight.step(2);
  forgetful.step(2);

  EXPECT_FALSE(at::equal(straight.weight, forgetful.weight));
}

TEST_P(OptimizerState, RefusesWhatDoesNotFit) {
  Training run(config);
  run.step(1);
  NamedTensors state = run.optimizer.state();
  NamedTensors missing = state;
  missing.pop_back();
  NamedTensors reshaped = state;
  for (auto& [name, value] : reshaped) {
    value = name.ends_with("net.weight") && value.dim() > 0 ? value.flatten() : value;
  }
  OptimizerConfig other = config;
  other.name = config.name == "sgd" ? "adam" : "sgd";
  Training another(other);

  for (const NamedTensors& bad : {missing, reshaped}) {
    try {
      run.optimizer.load_state(bad, "run/checkpoints");
      ADD_FAILURE() << "was accepted";
    } catch (const DataError& e) {
      EXPECT_NE(std::string(e.what()).find("run/checkpoints"), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(another.optimizer.load_state(state, "run/checkpoints"), DataError);
}

INSTANTIATE_TEST_SUITE_P(Names, OptimizerState, testing::Values("sgd", "adam", "adamw"),
                         [](const auto& each) { return std::string(each.param); });

TEST(LearningRate, DecaysAsAPolynomialOfTheStep) {
  const OptimizerConfig config;  // 0.01, exponent 0.9

  EXPECT_EQ(learning_rate(config, 0, 1000), 0.01);
  EXPECT_NEAR(learning_rate(config, 500, 1000), 0.005358867, 1e-9);   // 0.01 · 2^−0.9
  EXPECT_NEAR(learning_rate(config, 999, 1000), 1.995262e-5, 1e-10);  // 0.01 · 10^−2.7
  EXPECT_EQ(learning_rate(config, 1000, 1000), 0);
}

TEST(LearningRate, WarmsUpInEqualStepsAndThenJoinsTheDecay) {
  OptimizerConfig config;
  config.warmup_steps = 3;

  EXPECT_NEAR(learning_rate(config, 0, 10), 0.0025, 1e-12);
  EXPECT_NEAR(learning_rate(config, 1, 10), 0.005, 1e-12);
  EXPECT_NEAR(learning_rate(config, 2, 10), 0.0075, 1e-12);
  EXPECT_NEAR(learning_rate(config, 3, 10), 0.01 * std::pow(0.7, 0.9), 1e-12);
}

TEST(LearningRate, StaysWithoutDecay) {
  OptimizerConfig config;
  config.decay = "none";

  EXPECT_EQ(learning_rate(config, 0, 10), 0.01);
  EXPECT_EQ(learning_rate(config, 9, 10), 0.01);
}

}  // namespace
}  // namespace hepar
