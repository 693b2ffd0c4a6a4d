#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace hepar {

/// What a random stream is for. The numbers are part of the reproducibility promise: never
/// renumber.
enum class Purpose : std::uint32_t {
  kInitialWeights = 1,
  kSampling = 2,
  kAugmentation = 3,
  kFolds = 4,
  kPhantom = 5,
  kFingerprint = 6,
  kForegroundIndex = 7,
  kBootstrap = 8,
  kValidation = 9,
  kSweep = 10,
  kTest = 100,
};

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011). A stream is addressed by
/// (seed, purpose, step, slot) and by nothing else, so it is the same on any rank, in any thread
/// and after any restart. Cheap to construct; draw by draw it is a value type that can be copied.
class RandomStream {
 public:
  struct Address {
    std::uint64_t seed = 0;
    Purpose purpose = Purpose::kTest;
    std::uint64_t step = 0;
    std::uint32_t slot = 0;
  };
  explicit RandomStream(const Address& address);

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                            ///< in [0, 1), 53 bits
  double uniform(double low, double high);     ///< in [low, high)
  bool chance(double probability);             ///< true with this probability
  std::int64_t integer(std::int64_t n);        ///< in [0, n), unbiased; n >= 1
  double normal();                             ///< mean 0, standard deviation 1 (Box–Muller)
  /// A new stream as it stands `blocks` blocks of four words, or of two normals, later.
  [[nodiscard]] RandomStream after(std::uint32_t blocks) const;
  void shuffle(std::vector<std::int64_t>& v);  ///< Fisher–Yates

  // Named requirement UniformRandomBitGenerator, for <random> and <algorithm>.
  using result_type = std::uint32_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }
  result_type operator()() { return next_u32(); }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

/// One Philox4x32-10 block; exposed for its known-answer test.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

}  // namespace hepar
