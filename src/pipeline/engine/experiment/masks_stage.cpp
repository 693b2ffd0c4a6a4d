#include "experiment/masks_stage.h"

#include <algorithm>

#include "hepar/comm/together.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/io/manifest.h"
#include "hepar/prep/sets.h"

namespace hepar::detail {
namespace {

/// Moves the masks asked for out of an exported cohort; the number moved.
int collect_masks(const MasksStageConfig& config, const fs::path& exported) {
  int masks = 0;
  for (const CaseRecord& record : read_manifest(config.data).cases) {
    const fs::path mask = exported / record.id / ("mask_" + config.sequence + ".nii.gz");
    const bool wanted = config.split.empty() || std::find(config.split.begin(), config.split.end(),
                                                          record.split) != config.split.end();
    if (wanted && fs::exists(mask)) {
      fs::rename(mask, fs::path(config.out) / (record.id + ".nii.gz"));
      ++masks;
    }
  }
  return masks;
}

}  // namespace

void MasksStageConfig::declare(ConfigSchema& schema) {
  schema.add("data", data, "Cohort", {}, Effect::kNone);
  schema.add("sequence", sequence, "Sequence whose masks are meant");
  schema.add("split", split, "Splits; empty: all");
  schema.add("out", out, "Folder for CASE.nii.gz", {}, Effect::kNone);
}

ExitCode run_masks_stage(MasksStageConfig& config, Communicator& group) {
  const fs::path exported = fs::path(config.out) / ".exported";
  together(group, [&] {
    if (group.is_root()) {
      make_writable_directory(config.out);
    }
  });
  export_set({.data = config.data, .out = exported.string()}, group);
  together(group, [&] {
    if (group.is_root()) {
      const int masks = collect_masks(config, exported);
      fs::remove_all(exported);
      require<DataError>(masks > 0, config.data + ": no case has a mask of the sequence '" +
                                        config.sequence + "' in the splits asked for");
      log::info(std::to_string(masks) + " masks in " + config.out);
    }
  });
  return ExitCode::kDone;
}

}  // namespace hepar::detail
