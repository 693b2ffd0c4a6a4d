#pragma once
#include <string>

#include "hepar/comm/together.h"

namespace hepar {

/// Collective. `make` runs on rank 0 only, so that one rank asks the file system and all see the
/// same; its text goes to every rank. When it throws, every rank throws that error.
template <class Make>
std::string from_root(Communicator& ranks, Make&& make) {
  std::string text;
  together(ranks, [&] {
    if (ranks.is_root()) {
      text = make();
    }
  });
  return ranks.broadcast(text, 0);
}

}  // namespace hepar
