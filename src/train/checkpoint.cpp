#include "hepar/train/checkpoint.h"

#include <algorithm>
#include <cstdio>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"

namespace hepar {
namespace {

constexpr const char* kWeights = "weights.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kBest = "best.safetensors";
constexpr const char* kState = "state.json";

std::string folder_name(std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof(name), "step-%07lld", static_cast<long long>(step));
  return name;
}

/// Finished checkpoints, newest first.
std::vector<fs::path> finished(const fs::path& folder) {
  std::vector<fs::path> found;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && entry.path().filename().string().starts_with("step-")) {
        found.push_back(entry.path());
      }
    }
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

/// What a killed writer left under temporary names.
void remove_unfinished(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(".tmp-")) {
      fs::remove_all(entry.path());
    }
  }
}

/// Deletes a checkpoint so that a kill half-way leaves nothing under a final name.
void remove_checkpoint(const fs::path& folder) {
  const fs::path doomed = folder.parent_path() / (".tmp-old-" + folder.filename().string());
  fs::rename(folder, doomed);
  fs::remove_all(doomed);
}

void verify(const fs::path& file, const std::string& wanted) {
  const std::string found = to_hex(xxh64_of_file(file.string()));
  require<DataError>(found == wanted,
                     file.string() + ": wanted xxh64 " + wanted + ", found " + found);
}

Checkpoint load(const fs::path& folder) {
  const fs::path state_file = folder / kState;
  Checkpoint checkpoint;
  checkpoint.state = read_json(state_file);
  const std::string where = state_file.string();
  checkpoint.step = json_get<std::int64_t>(checkpoint.state, "step", where);
  verify(folder / kWeights, json_get<std::string>(checkpoint.state, "weights_xxh64", where));
  verify(folder / kOptimizer, json_get<std::string>(checkpoint.state, "optimizer_xxh64", where));
  checkpoint.weights = read_tensors(folder / kWeights);
  checkpoint.optimizer = read_tensors(folder / kOptimizer);
  if (checkpoint.state.contains("best_xxh64")) {
    verify(folder / kBest, json_get<std::string>(checkpoint.state, "best_xxh64", where));
    checkpoint.best = read_tensors(folder / kBest);
  }
  return checkpoint;
}

}  // namespace

CheckpointStore::CheckpointStore(std::filesystem::path run_folder, std::int64_t keep)
    : folder_(std::move(run_folder) / "checkpoints"), keep_(keep) {}

void CheckpointStore::save(const Checkpoint& checkpoint, const Lease& lease) const {
  lease.check();  // before touching anything: what is unfinished here may be a successor's
  make_writable_directory(folder_);
  remove_unfinished(folder_);
  const std::string name = folder_name(checkpoint.step);
  const fs::path temporary = folder_ / (".tmp-" + name);
  fs::create_directory(temporary);
  Json state = checkpoint.state;
  state["step"] = checkpoint.step;
  state["weights_xxh64"] = to_hex(write_tensors(temporary / kWeights, checkpoint.weights));
  state["optimizer_xxh64"] = to_hex(write_tensors(temporary / kOptimizer, checkpoint.optimizer));
  if (!checkpoint.best.empty()) {
    state["best_xxh64"] = to_hex(write_tensors(temporary / kBest, checkpoint.best));
  }
  write_json(temporary / kState, state);
  sync_path(temporary);
  lease.check();
  const fs::path replaced = folder_ / (".tmp-old-" + name);
  if (fs::exists(folder_ / name)) {  // the same step, saved before a stop and reached again
    fs::rename(folder_ / name, replaced);
  }
  fs::rename(temporary, folder_ / name);
  fs::remove_all(replaced);
  sync_path(folder_);
  write_atomically(folder_ / "latest", name + "\n");
  const std::vector<fs::path> all = finished(folder_);
  for (std::size_t i = static_cast<std::size_t>(keep_); i < all.size(); ++i) {
    remove_checkpoint(all[i]);
  }
}

std::optional<Checkpoint> CheckpointStore::load_latest() const {
  for (const fs::path& folder : finished(folder_)) {
    try {
      return load(folder);
    } catch (const DataError& e) {
      log::warn("damaged checkpoint, using the one before it: " + std::string(e.what()));
    }
  }
  return std::nullopt;
}

}  // namespace hepar
