// bench_dist [--turns=N], also under mpirun: summing the gradient of a U-Net of 31 M parameters
// over two micro-batches a rank and over the ranks, beside parameters added one by one and one flat
// all-reduce.
#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/comm/environment.h"
#include "hepar/core/error.h"
#include "hepar/dist/gradient_reducer.h"
#include "in_turns.h"

namespace hepar::bench {
namespace {

constexpr int kMicroBatches = 2;  // of each rank

/// Shapes of nnU-Net's network with features 32 to 320: 3x3x3 kernels and their norms.
std::vector<std::vector<std::int64_t>> shapes() {
  const std::vector<std::int64_t> features{32, 64, 128, 256, 320, 320};
  std::vector<std::vector<std::int64_t>> all;
  const auto convolution = [&](std::int64_t in, std::int64_t out) {
    all.push_back({out, in, 3, 3, 3});
    all.insert(all.end(), 3, {out});  // bias; scale and shift of the norm
  };
  std::int64_t in = 1;
  for (const std::int64_t out : features) {
    convolution(in, out);
    convolution(out, out);
    in = out;
  }
  for (std::size_t level = features.size() - 1; level > 0; --level) {
    const std::int64_t width = features[level - 1];
    all.push_back({features[level], width, 2, 2, 2});
    convolution(2 * width, width);
    convolution(width, width);
  }
  return all;
}

/// Parameters and the gradients of each micro-batch, in the order that convolutions leave them.
class Problem {
 public:
  Problem(Communicator& communicator, Reduction reduction)
      : communicator_(communicator),
        parameters_(make(/*random=*/false)),
        reducer_(parameters_, communicator,
                 {.reduction = reduction, .shards = kMicroBatches * communicator.size()}) {
    at::manual_seed(static_cast<std::uint64_t>(1 + communicator.rank()));
    for (auto& gradients : gradients_) {
      gradients = make(/*random=*/true);
    }
  }

  /// tree: each micro-batch is a leaf.
  void by_tree() {
    for (const auto& gradients : gradients_) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        parameters_[i].mutable_grad() = gradients[i];
      }
      reducer_.add_micro_batch();
    }
    reducer_.finish();
  }

  /// fast: backward itself adds to the gradients that are there.
  void by_fast() {
    add_micro_batches();
    reducer_.add_micro_batch();
    reducer_.finish();
  }

  /// Adds, packs, sums over the ranks, unpacks.
  void by_hand() {
    add_micro_batches();
    if (communicator_.size() == 1) {
      return;
    }
    std::vector<at::Tensor> flat;
    for (const at::Tensor& p : parameters_) {
      flat.push_back(p.grad().reshape(-1));
    }
    at::Tensor all = at::cat(flat);
    communicator_.all_reduce(
        std::span<float>(all.mutable_data_ptr<float>(), static_cast<std::size_t>(all.numel())),
        ReduceOp::kSum);
    std::int64_t offset = 0;
    for (at::Tensor& p : parameters_) {
      p.mutable_grad().copy_(all.narrow(0, offset, p.numel()).view(p.sizes()));
      offset += p.numel();
    }
  }

  [[nodiscard]] double checksum() const {
    double sum = 0;
    for (const at::Tensor& p : parameters_) {
      sum += p.grad().to(at::kDouble).abs().sum().item<double>();
    }
    return sum;
  }

 private:
  void add_micro_batches() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].mutable_grad() = gradients_[0][i] + gradients_[1][i];
    }
  }

  static std::vector<at::Tensor> make(bool random) {
    std::vector<at::Tensor> all;
    for (const auto& shape : shapes()) {
      at::Tensor values = random ? at::randn(shape) : at::zeros(shape);
      if (shape.size() == 5) {
        values = values.contiguous(at::MemoryFormat::ChannelsLast3d);
      }
      all.push_back(random ? values : values.requires_grad_());
    }
    return all;
  }

  Communicator& communicator_;
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> gradients_[kMicroBatches];
  GradientReducer reducer_;
};

void set_up(Communicator& communicator) {
  at::set_num_threads(1);
  const auto tree = std::make_shared<Problem>(communicator, Reduction::kTree);
  const auto fast = std::make_shared<Problem>(communicator, Reduction::kFast);
  tree->by_tree();
  const double wanted = tree->checksum();
  for (const auto& work : {std::function([=] {
                             tree->by_hand();
                             return tree->checksum();
                           }),
                           std::function([=] {
                             fast->by_fast();
                             return fast->checksum();
                           })}) {
    require_equal("sum of gradients", std::abs(work() - wanted) / wanted, 1e-6);
  }
  add("two micro-batches/hepar", [=] { tree->by_tree(); });
  add("two micro-batches/hepar, dist.reduction fast", [=] { fast->by_fast(); });
  add("two micro-batches/plain", [=] { tree->by_hand(); });
}

}  // namespace
}  // namespace hepar::bench

int main(int argc, char** argv) {
  const hepar::MpiEnvironment environment(argc, argv);
  hepar::Communicator world = hepar::Communicator::world();
  constexpr int kIterations = 10;
  return hepar::bench::run_in_turns(argc, argv, [&] { hepar::bench::set_up(world); },
                                    {.iterations = kIterations, .speaker = world.is_root()});
}
