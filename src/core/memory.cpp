#include "hepar/core/memory.h"

#include <malloc.h>

#include <limits>

namespace hepar {

void keep_freed_memory() {
  constexpr int kTopPadBytes = 64 << 20;
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, kTopPadBytes);
}

}  // namespace hepar
