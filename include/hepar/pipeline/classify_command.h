#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/config.h>
#include <hepar/train/compute_config.h>

#include <string>
#include <vector>

namespace hepar {

struct ClassifyConfig {
  std::vector<std::string> model;  ///< staging models or run folders, of one head
  std::string in;                  ///< a set of volumes of interest
  std::string out;
  std::vector<std::string> split;     ///< empty: all
  std::vector<std::string> sequence;  ///< empty: all
  std::vector<std::string> domain;    ///< empty: all
  bool held_out = false;  ///< each model does the cases its fold kept from it: out-of-fold scores
  /// keep: as it is; noise: voxels outside of the mask are replaced by standard normal ones, which
  /// says how much a model needs what is not liver.
  std::string outside = "keep";
  ComputeConfig compute;
  void declare(ConfigSchema& schema);
};

/// `hepar classify`: OUT/scores.csv, one line a volume and run, the table that `hepar score` reads:
/// case, sequence, stage, domain, split, seed, fold (held_out only), q4, q1, p1 … p4 (heads with
/// four classes), call, fallback, cam_inside (the share of the true or called stage's evidence that
/// lies in the mask) and mask_share (the mask's share of the box). Models of one seed are averaged;
/// each seed is a run. Also OUT/lineage.json and OUT/classify.json with the training prior. A case
/// whose stage a model has learnt is refused (exit 2). Volumes are dealt to the ranks, which
/// compute on one thread each: the table does not depend on ranks or processors. Collective.
void run_classify_command(const ClassifyConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
