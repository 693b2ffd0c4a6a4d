#pragma once
#include <hepar/data/case_list.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

/// (cohort, patient): two sources may use one name for two people.
using Patient = std::pair<std::string, std::string>;

Patient patient_of(const CaseList& cases, std::size_t index);

/// Patient -> the fold that holds it out. Manual before pseudo, set by set, domain by domain: each
/// stratum is dealt on where the one before it ended.
std::map<Patient, std::int64_t> deal_by_domain(const CaseList& cases,
                                               const std::vector<std::size_t>& usable,
                                               std::int64_t folds);

/// Stage by stage, domain by domain: as many to every fold, those left over one each to the folds
/// with the fewest patients of that stage (then of all stages). Throws DataError when the images of
/// one patient have different stages.
std::map<Patient, std::int64_t> deal_by_stage(const CaseList& cases,
                                              const std::vector<std::size_t>& usable,
                                              std::int64_t folds);

}  // namespace hepar
