// bench_nn [--turns=N] [--benchmark_…]: the network of nnU-Net's plan of 12 cases 32x96x96, 3
// classes: norm with activation, loss, forward, and whole steps, beside compositions of ATen's
// operators. Threads: OMP_NUM_THREADS. A step's table says where the time goes.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "../../src/nn/convolution.h"
#include "../../src/nn/fused_norm.h"
#include "../../src/nn/weight_gradient.h"
#include "hepar/comm/environment.h"
#include "hepar/core/memory.h"
#include "hepar/dist/gradient_reducer.h"
#include "hepar/nn/segmentation_loss.h"
#include "hepar/nn/unet.h"
#include "hepar/plan/planner.h"
#include "hepar/train/model_folder.h"
#include "hepar/train/optimizer.h"
#include "hepar/train/tensor_io.h"
#include "hepar/train/training_step.h"
#include "in_turns.h"
#include "operator_times.h"

namespace hepar::bench {
namespace {

Plan plan_of_cohort() {
  PlanRequest request;
  request.spacing = {2.5, 1.25, 1.25};
  request.median_shape = {32, 96, 96};
  request.cases = 12;
  request.classes = {"background", "liver", "lesion"};
  return make_plan(request);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1e-6, b.abs().max().item<double>());
}

/// Beside a kink two roundings may fall on either side, and the gradient of that value is another:
/// means do not notice.
double mean_distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().mean().item<double>() / b.abs().mean().item<double>();
}

// --- Norm and activation -------------------------------------------------------------------------

using NormFunction = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                    const nn::NormActivation&);

/// The first level's feature maps; the gradient comes in the order that the output has.
struct NormProblem {
  NormProblem(const Plan& plan, at::MemoryFormat order) {
    const SizeVox size = plan.patch_size;
    at::manual_seed(1);
    x = at::randn({plan.batch_size, plan.features[0], size.z, size.y, size.x}).contiguous(order);
    gradient = at::randn(x.sizes()).contiguous(order);
    weight = at::rand({plan.features[0]}) + 0.5;
    bias = at::randn({plan.features[0]});
    for (at::Tensor* leaf : {&x, &weight, &bias}) {
      leaf->requires_grad_();
    }
  }

  void forward(NormFunction function) const {
    const at::NoGradGuard no_grad;
    function(x, weight, bias, {});
  }
  at::Tensor forward_backward(NormFunction function) {
    for (at::Tensor* leaf : {&x, &weight, &bias}) {
      leaf->mutable_grad().reset();
    }
    function(x, weight, bias, {}).backward(gradient);
    return x.grad();
  }

  at::Tensor x, gradient, weight, bias;
};

void add_norm(const Plan& plan) {
  struct Side {
    std::string name;
    NormFunction function;
    at::MemoryFormat order;
  };
  std::vector<at::Tensor> gradients;
  for (const Side& side :
       {Side{"hepar", nn::fused_norm_activation, at::MemoryFormat::ChannelsLast3d},
        Side{"plain", nn::norm_activation_plain, at::MemoryFormat::Contiguous},
        Side{"plain, channels last", nn::norm_activation_plain,
             at::MemoryFormat::ChannelsLast3d}}) {
    const auto problem = std::make_shared<NormProblem>(plan, side.order);
    gradients.push_back(problem->forward_backward(side.function));
    add("norm and activation/" + side.name, [=] { problem->forward(side.function); });
    add("norm and activation with backward/" + side.name,
        [=] { problem->forward_backward(side.function); });
  }
  require_equal("norm and activation", mean_distance(gradients[0], gradients[1]), 1e-6);
}

// --- Loss ----------------------------------------------------------------------------------------

/// Logits of all levels and labels, as the network and the loader give them.
struct LossProblem {
  explicit LossProblem(const Plan& plan)
      : weights(deep_supervision_weights(plan.strides.size() - 1)) {
    at::manual_seed(2);
    SizeVox size = plan.patch_size;
    const auto classes = static_cast<std::int64_t>(plan.classes.size());
    labels = at::randint(classes, {plan.batch_size, size.z, size.y, size.x}, at::kLong);
    for (std::size_t level = 0; level < weights.size(); ++level) {
      for (int axis = 0; axis < 3; ++axis) {
        size[axis] /= plan.strides[level][static_cast<std::size_t>(axis)];
      }
      logits.push_back(at::randn({plan.batch_size, classes, size.z, size.y, size.x})
                           .contiguous(at::MemoryFormat::ChannelsLast3d)
                           .requires_grad_());
    }
  }

  std::vector<double> weights;
  std::vector<at::Tensor> logits;
  at::Tensor labels;
};

/// The same loss as a user of ATen would write it.
at::Tensor plain_loss(const LossProblem& in) {
  constexpr double kSmooth = 1e-5;
  at::Tensor total = at::zeros({});
  for (std::size_t level = 0; level < in.logits.size(); ++level) {
    if (in.weights[level] == 0) {
      continue;
    }
    const at::Tensor& x = in.logits[level];
    const at::Tensor labels =
        at::_upsample_nearest_exact3d(in.labels.unsqueeze(1).to(at::kFloat), x.sizes().slice(2))
            .to(at::kLong);
    const at::Tensor p = at::softmax(x, 1);
    const at::Tensor g = at::zeros_like(p).scatter_(1, labels, 1.0);
    const at::Tensor overlap = (p * g).sum({2, 3, 4});
    const at::Tensor sizes = p.sum({2, 3, 4}) + g.sum({2, 3, 4});
    const at::Tensor dice = ((2 * overlap + kSmooth) / (sizes + kSmooth)).slice(1, 1).mean();
    total = total + in.weights[level] * (at::cross_entropy_loss(x, labels.squeeze(1)) - dice);
  }
  return total;
}

at::Tensor loss_gradient(LossProblem& in, const std::function<at::Tensor()>& loss) {
  for (at::Tensor& level : in.logits) {
    level.mutable_grad().reset();
  }
  loss().backward();
  return in.logits.front().grad();
}

void add_loss(const Plan& plan) {
  const auto in = std::make_shared<LossProblem>(plan);
  const auto loss = std::make_shared<SegmentationLoss>(
      SegmentationLoss::Options{.config = {},
                                .classes = static_cast<std::int64_t>(plan.classes.size()),
                                .batch_dice = false,
                                .level_weights = in->weights});
  const auto ours = [=] {
    const SegmentationLoss::Terms terms = loss->forward(in->logits, in->labels);
    return loss->surrogate(terms, terms.sums());
  };
  const auto plain = [=] { return plain_loss(*in); };
  require_equal("loss", distance(loss_gradient(*in, ours), loss_gradient(*in, plain)), 1e-3);
  add("loss with backward/hepar", [=] { loss_gradient(*in, ours); });
  add("loss with backward/plain", [=] { loss_gradient(*in, plain); });
}

// --- Convolutions --------------------------------------------------------------------------------

/// A convolution of an encoder level, from its features to as many.
struct ConvolutionProblem {
  ConvolutionProblem(const Plan& plan, std::size_t level) {
    at::manual_seed(4);
    SizeVox size = plan.patch_size;
    for (std::size_t above = 0; above <= level; ++above) {
      for (int axis = 0; axis < 3; ++axis) {
        size[axis] /= plan.strides[above][static_cast<std::size_t>(axis)];
      }
    }
    const auto kernel = plan.kernels[level];
    const std::int64_t features = plan.features[level];
    x = nn::channels_last(at::randn({1, features, size.z, size.y, size.x}));
    gradient = nn::channels_last(at::randn(x.sizes()));
    weight = at::randn({features, features, kernel[0], kernel[1], kernel[2]});
    how = {{kernel[0] / 2, kernel[1] / 2, kernel[2] / 2}, {1, 1, 1}, {1, 1, 1}};
  }

  [[nodiscard]] at::Tensor forward() const {
    return at::conv3d(x, weight, {}, how.stride, how.padding, how.dilation);
  }
  [[nodiscard]] std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(bool of_x) const {
    return at::convolution_backward(gradient, x, weight, std::nullopt, how.stride, how.padding,
                                    how.dilation, false, {0, 0, 0}, 1, {of_x, !of_x, false});
  }
  [[nodiscard]] at::Tensor ours() const {
    return nn::weight_gradient(x, gradient, weight.sizes(), how);
  }

  at::Tensor x, gradient, weight;
  nn::ConvolutionGeometry how;
};

/// Forward, gradient of the input and of the weights are as many multiplications each.
void add_convolutions(const Plan& plan) {
  const at::NoGradGuard no_grad;
  for (const std::size_t level : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    const auto problem = std::make_shared<ConvolutionProblem>(plan, level);
    const std::string name = "convolution of " + std::to_string(plan.features[level]) + " features";
    require_equal(name, distance(problem->ours(), std::get<1>(problem->backward(false))), 1e-4);
    add(name + ", forward/oneDNN", [=] { static_cast<void>(problem->forward()); });
    add(name + ", gradient of the input/oneDNN",
        [=] { static_cast<void>(problem->backward(true)); });
    add(name + ", gradient of the weights/hepar", [=] { static_cast<void>(problem->ours()); });
    add(name + ", gradient of the weights/plain",
        [=] { static_cast<void>(problem->backward(false)); });
  }
}

/// The last transposed convolution of the decoder: from the second level's features to the first's.
struct TransposedProblem {
  using Layer = torch::nn::ConvTranspose3d;
  using Apply = at::Tensor (*)(Layer& layer, const at::Tensor& x);

  explicit TransposedProblem(const Plan& plan) : layer(nullptr) {
    torch::manual_seed(5);
    const at::IntArrayRef stride(plan.strides[1]);
    layer = Layer(torch::nn::ConvTranspose3dOptions(plan.features[1], plan.features[0], stride)
                      .stride(stride));
    const SizeVox size = plan.patch_size;
    x = nn::channels_last(at::randn({1, plan.features[1], size.z / stride[0], size.y / stride[1],
                                     size.x / stride[2]}))
            .requires_grad_();
    gradient = nn::channels_last(at::randn({1, plan.features[0], size.z, size.y, size.x}));
  }

  /// The gradient of the weights; that of x is computed too.
  at::Tensor forward_backward(Apply apply) {
    layer->zero_grad();
    x.mutable_grad().reset();
    apply(layer, x).backward(gradient);
    return layer->weight.grad();
  }

  Layer layer;
  at::Tensor x, gradient;
};

at::Tensor ours(torch::nn::ConvTranspose3d& layer, const at::Tensor& x) {
  return nn::transposed_convolve(*layer, x);
}

at::Tensor plain(torch::nn::ConvTranspose3d& layer, const at::Tensor& x) {
  return layer->forward(x);
}

void add_transposed_convolution(const Plan& plan) {
  struct Side {
    std::string name;
    TransposedProblem::Apply apply;
  };
  std::vector<at::Tensor> gradients;
  for (const Side& side : {Side{"hepar", ours}, Side{"plain", plain}}) {
    const auto problem = std::make_shared<TransposedProblem>(plan);
    gradients.push_back(problem->forward_backward(side.apply));
    add("transposed convolution with backward/" + side.name,
        [=] { problem->forward_backward(side.apply); });
  }
  require_equal("transposed convolution", distance(gradients[0], gradients[1]), 1e-4);
}

// --- Network and step ----------------------------------------------------------------------------

/// What `hepar train` does in a step, without its loader: micro-batches, gradients, optimizer.
class Step {
 public:
  explicit Step(const Plan& plan)
      : plan_(plan),
        network_(make_network(plan, {}, 1)),
        loss_({.config = {},
               .classes = static_cast<std::int64_t>(plan.classes.size()),
               .batch_dice = plan.batch_dice,
               .level_weights = deep_supervision_weights(plan.strides.size() - 1)}),
        communicator_(Communicator::self()),
        options_{.reduction = Reduction::kTree, .shards = plan.shards},
        reducer_(network_->parameters(), communicator_, options_),
        optimizer_(parameters_of(*network_), {}) {
    network_->train();
    at::manual_seed(3);
    const SizeVox size = plan.patch_size;
    for (const SlotRange& range : micro_batches(plan.batch_size, 0, 1, options_)) {
      const auto classes = static_cast<std::int64_t>(plan.classes.size());
      batches_.push_back({at::randn({range.count, 1, size.z, size.y, size.x}),
                          at::randint(classes, {range.count, size.z, size.y, size.x}, at::kLong),
                          {}});
    }
  }

  void forward() {
    const at::NoGradGuard no_grad;
    for (const SegmentationBatch& batch : batches_) {
      network_->forward(batch.image);
    }
  }
  void run() {
    backward_global_batch({*network_, loss_, reducer_, communicator_, options_}, batches_);
    constexpr double kLearningRate = 1e-3;
    optimizer_.step(kLearningRate);
  }

 private:
  Plan plan_;
  std::shared_ptr<SegmentationNetwork> network_;
  SegmentationLoss loss_;
  Communicator communicator_;
  ReducerOptions options_;
  GradientReducer reducer_;
  Optimizer optimizer_;
  std::vector<SegmentationBatch> batches_;
};

void set_up(OperatorTimes& times) {
  const Plan plan = plan_of_cohort();
  add_norm(plan);
  add_loss(plan);
  add_convolutions(plan);
  add_transposed_convolution(plan);
  const auto step = std::make_shared<Step>(plan);
  add("U-Net forward/hepar", [=] { step->forward(); });
  add("training step/hepar", [=, &times] { times.measure([&] { step->run(); }); });
}

}  // namespace
}  // namespace hepar::bench

int main(int argc, char** argv) {
  hepar::keep_freed_memory();  // as hepar-engine
  const hepar::MpiEnvironment environment(argc, argv);
  hepar::bench::OperatorTimes times;
  const int code = hepar::bench::run_in_turns(argc, argv, [&] { hepar::bench::set_up(times); });
  times.print("of a training step");
  return code;
}
