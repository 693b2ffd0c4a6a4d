#pragma once
#include <hepar/comm/communicator.h>
#include <string>

namespace hepar {

/// Where the ranks are and which processors each may use, ranks in a row with the same answer in
/// one: "ranks 0-1 on node1, processors 0-15; rank 2 on node2, processors 0-7". Collective.
std::string rank_places(Communicator& communicator);

}  // namespace hepar
