#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>
#include <hepar/core/json.h>
#include <hepar/data/case_list.h>
#include <hepar/plan/plan.h>
#include <hepar/train/train_config.h>
#include <string>
#include <vector>

namespace hepar {

/// How a training ended.
struct TrainOutcome {
  ExitCode code = ExitCode::kDone;  ///< kDone or kResumable
  std::int64_t steps_done = 0;
  std::string weights_hash;
};

/// The cases a fold trains on and the ones it holds out, as indices into the list of cases.
struct FoldCases {
  std::vector<std::size_t> training, validation;
};

/// Whole patients are held out, those of each (set, domain) dealt evenly to the folds; the same for
/// any rank count. Patients with a manual mask are dealt first, so pseudo-labels beside them change
/// no fold; only manual masks are validated on. With data.splits_file the folds are the file's:
/// cases it does not name train in every fold when they are pseudo-labelled or of a set it names
/// nothing of, unless their patient is held out; else they are left out. Throws ConfigError when
/// either part has no labelled case, or the file is not about these cases.
FoldCases fold_cases(const CaseList& cases, const DataConfig& data);

/// All folds in nnU-Net's splits_final.json: [{"train": [ids], "val": [ids]}, …].
Json splits_of(const CaseList& cases, const DataConfig& data);

/// Trains a segmentation network, or continues the run in config.out. Writes the run folder of
/// DESIGN §8. Collective.
TrainOutcome train_segmentation(const TrainConfig& config, Communicator& communicator);

}  // namespace hepar
