#pragma once
#include <hepar/comm/communicator.h>

#include <filesystem>
#include <memory>
#include <string>

#include "support/temporary.h"

namespace hepar::test {

/// One temporary folder for all ranks, made and removed by rank 0.
class RankFolder {
 public:
  explicit RankFolder(Communicator& world) : world_(world) {
    if (world.is_root()) {
      own_ = std::make_unique<TemporaryFolder>();
    }
    path_ = world.broadcast(own_ ? own_->path().string() : std::string(), 0);
  }
  ~RankFolder() { world_.barrier(); }
  RankFolder(const RankFolder&) = delete;
  RankFolder& operator=(const RankFolder&) = delete;
  RankFolder(RankFolder&&) = delete;
  RankFolder& operator=(RankFolder&&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Communicator& world_;
  std::unique_ptr<TemporaryFolder> own_;
  std::filesystem::path path_;
};

}  // namespace hepar::test
