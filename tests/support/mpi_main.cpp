#include <gtest/gtest.h>

#include <hepar/comm/communicator.h>
#include <hepar/comm/environment.h>

#include <array>
#include <iostream>
#include <sstream>

namespace {

// What the other ranks say: their failures only.
class FailurePrinter : public ::testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}

  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed()) {
      std::ostringstream line;
      line << "rank " << rank_ << ": " << result << '\n';
      std::cerr << line.str() << std::flush;
    }
  }

 private:
  int rank_;
};

}  // namespace

// Every rank runs every test; the program fails when any rank saw a failure.
int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  hepar::MpiEnvironment environment(argc, argv);
  hepar::Communicator world = hepar::Communicator::world();
  if (!world.is_root()) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter(world.rank()));
  }
  std::array<std::int64_t, 1> failed{RUN_ALL_TESTS()};
  world.all_reduce(failed, hepar::ReduceOp::kMax);
  return static_cast<int>(failed[0]);
}
