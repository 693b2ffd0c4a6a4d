// resample_volume cubic|linear FROM_Z FROM_Y FROM_X TO_Z TO_Y TO_X IN.f32 OUT.f32: resamples a raw
// float32 volume with one thread and prints the best of three times in milliseconds. Driven by
// resample_against_skimage.py, which times the peer on the same volume and compares the values.
#include <hepar/image/resample.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

double best_of_three_ms(const std::string& order, const std::vector<float>& in,
                        std::vector<float>& out, const hepar::Resampling& how) {
  double best = 1e300;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    order == "cubic" ? hepar::resample_cubic(in, out, how) : hepar::resample_linear(in, out, how);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) {
    std::fprintf(stderr, "usage: %s cubic|linear FROM(z y x) TO(z y x) IN.f32 OUT.f32\n", argv[0]);
    return 2;
  }
  hepar::Resampling how;
  for (int axis = 0; axis < 3; ++axis) {
    how.from[axis] = std::stoll(argv[2 + axis]);
    how.to[axis] = std::stoll(argv[5 + axis]);
  }
  std::vector<float> in(static_cast<std::size_t>(count(how.from)));
  std::vector<float> out(static_cast<std::size_t>(count(how.to)));
  std::ifstream(argv[8], std::ios::binary)
      .read(reinterpret_cast<char*>(in.data()),
            static_cast<std::streamsize>(in.size() * sizeof(float)));
  std::printf("%.3f\n", best_of_three_ms(argv[1], in, out, how));
  std::ofstream(argv[9], std::ios::binary)
      .write(reinterpret_cast<const char*>(out.data()),
             static_cast<std::streamsize>(out.size() * sizeof(float)));
  return 0;
}
