#pragma once
#include <hepar/data/case_list.h>
#include <hepar/io/lineage.h>
#include <hepar/plan/plan.h>
#include <hepar/train/fold_cases.h>
#include <hepar/train/train_config.h>

#include <memory>
#include <string>
#include <vector>

namespace hepar {

/// The prepared sets of a training, checked against each other, and the part a fold trains on.
class TrainingData {
 public:
  /// Opens data.path. Throws ConfigError, every set that does not fit named with what was wanted
  /// and found, when plan, classes or channels differ from the first set's, or two sets hold one
  /// image.
  explicit TrainingData(const DataConfig& config, FoldRule rule = FoldRule::kByMask);

  [[nodiscard]] const CaseList& cases() const { return *cases_; }
  [[nodiscard]] const FoldCases& fold() const { return fold_; }
  /// The plan all sets were prepared with.
  [[nodiscard]] const Plan& plan() const { return plan_; }
  /// Of the voxels nobody is asked about; −1: there are none.
  [[nodiscard]] int ignore_label() const { return ignore_label_; }
  /// What data a run saw: of one set that set's hash; else over all sets and, where a file chose
  /// the fold, the cases of both parts.
  [[nodiscard]] std::string hash() const;
  /// What training on the fold's part uses (images, and masks or stages by the fold rule), with the
  /// sets' own ancestors.
  [[nodiscard]] Lineage lineage() const;
  /// The cases the fold keeps from training; none with fold all.
  [[nodiscard]] std::vector<CaseIdentity> held_out() const;
  /// Writes data.splits_file when it does not exist.
  void write_splits() const;

 private:
  void check_sets() const;
  void check_images() const;
  [[nodiscard]] CaseIdentity identity(std::size_t index) const;

  DataConfig config_;
  FoldRule rule_;
  std::vector<std::unique_ptr<PreparedSet>> sets_;
  std::unique_ptr<CaseList> cases_;
  Plan plan_;
  int ignore_label_ = -1;
  FoldCases fold_;
};

}  // namespace hepar
