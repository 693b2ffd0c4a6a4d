#pragma once
#include <hepar/core/json.h>
#include <hepar/data/case_list.h>
#include <hepar/train/train_config.h>

#include <cstddef>
#include <vector>

namespace hepar {

/// The cases a fold trains on and the ones it holds out, as indices into the list of cases.
struct FoldCases {
  std::vector<std::size_t> training, validation;
};

/// What makes a case usable, and what the folds are balanced by.
enum class FoldRule {
  /// Cases with a mask of the kinds in data.label. Those of each (set, domain) are dealt evenly.
  /// Patients with a manual mask are dealt first, so pseudo-labels beside them change no fold; only
  /// manual masks are validated on.
  kByMask,
  /// Cases with a stage, by stage × domain (PROTOCOL §5): every fold gets as many of a cell, and
  /// those left over go one each to the folds poorest in that stage. A fold whose training or
  /// validation part lacks a stage that the data have is refused.
  kByStage,
};

/// Whole patients are held out; the same for any rank count. With data.splits_file the folds are
/// the file's: cases it does not name train in every fold when they are pseudo-labelled or of a set
/// it names nothing of, unless their patient is held out; else they are left out. Throws
/// ConfigError when either part has no usable case, or the file is not about these cases.
FoldCases fold_cases(const CaseList& cases, const DataConfig& data,
                     FoldRule rule = FoldRule::kByMask);

/// Some of a fold's training cases kept back to decide when to stop: about `share` of the patients,
/// dealt by stage and domain. Throws ConfigError when either part has none.
FoldCases inner_parts(const CaseList& cases, const std::vector<std::size_t>& training,
                      double share);

/// All folds in nnU-Net's splits_final.json: [{"train": [ids], "val": [ids]}, …].
Json splits_of(const CaseList& cases, const DataConfig& data, FoldRule rule = FoldRule::kByMask);

}  // namespace hepar
