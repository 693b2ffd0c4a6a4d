#include "hepar/comm/rank_places.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

/// As Linux writes it: "0-3,8".
std::string allowed_processors() {
  try {
    const std::string key = "\nCpus_allowed_list:\t";
    const std::string status = read_text("/proc/self/status");
    const std::size_t at = status.find(key);
    return at == std::string::npos ? "unknown"
                                   : split(status.substr(at + key.size()), '\n').front();
  } catch (const DataError&) {
    return "unknown";
  }
}

}  // namespace

std::string rank_places(Communicator& communicator) {
  const std::vector<std::string> places = communicator.all_gather(
      " on " + communicator.host() + ", processors " + allowed_processors());
  std::vector<std::string> texts;
  for (std::size_t first = 0; first < places.size();) {
    std::size_t end = first + 1;
    while (end < places.size() && places[end] == places[first]) {
      ++end;
    }
    const bool several = end - first > 1;
    std::string text = (several ? "ranks " : "rank ") + std::to_string(first);
    if (several) {
      text.append("-").append(std::to_string(end - 1));
    }
    texts.push_back(text.append(places[first]));
    first = end;
  }
  return join(texts, "; ");
}

}  // namespace hepar
