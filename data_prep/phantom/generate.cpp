#include "phantom/generate.h"

#include <array>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/progress.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "phantom/layout.h"
#include "phantom/new_folder.h"

namespace hepar::phantom {

namespace {

Json record_of(const GenerateRequest& request, const PhantomParameters& parameters) {
  Json sequences = Json::array();
  for (int s : request.sequences) {
    sequences.push_back(kSequenceNames[s]);
  }
  return {{"phantom", version_label(parameters)},
          {"parameters_xxh64", to_hex(hash_of(parameters))},
          {"seed", request.cohort.seed},
          {"preset", request.cohort.preset},
          {"variant", to_string(request.cohort.variant)},
          {"layout", request.layout},
          {"sequences", sequences},
          {"code", version()}};
}

void write_patient(const Patient& patient, const GenerateRequest& request,
                   const PhantomParameters& parameters, const LayoutWriter& layout) {
  const Anatomy anatomy(patient, parameters);
  for (int sequence : request.sequences) {
    if (!patient.missing[sequence]) {
      const Acquisition acquisition = draw_acquisition(patient, anatomy, sequence, parameters);
      layout.write_sequence(patient, render(patient, anatomy, acquisition, parameters));
    }
  }
}

}  // namespace

void generate(const GenerateRequest& request, const PhantomParameters& parameters) {
  const fs::path out = fs::absolute(request.out / "").parent_path();
  const fs::path partial = new_partial_folder(out, record_of(request, parameters));
  const std::vector<Patient> cohort = make_cohort(request.cohort, parameters);
  const auto layout = make_layout(request.layout, partial);
  Progress progress("phantom", static_cast<std::int64_t>(cohort.size()));
  parallel_for(static_cast<std::int64_t>(cohort.size()), request.threads, [&](std::int64_t i) {
    write_patient(cohort[static_cast<std::size_t>(i)], request, parameters, *layout);
    progress.advance();
  });
  layout->finish(cohort, request.sequences);
  fs::remove(out);  // empty, or not there
  fs::rename(partial, out);
  sync_path(out.parent_path());
}

std::string describe(const std::vector<Patient>& cohort) {
  static constexpr const char* kSplits[] = {"train", "validation", "test", "audit"};
  std::vector<std::vector<std::string>> rows{
      {"domain", "split", "patients", "masks", "S1", "S2", "S3", "S4", "missing sequences"}};
  for (std::size_t from = 0, to = 0; from < cohort.size(); from = to) {
    const PatientKey key = cohort[from].key;
    std::array<int, kStages> stages{};
    int masks = 0;
    int missing = 0;
    for (; to < cohort.size() && cohort[to].key.domain == key.domain &&
           cohort[to].key.split == key.split;
         ++to) {
      ++stages[cohort[to].stage];
      masks += cohort[to].has_mask ? 1 : 0;
      for (bool absent : cohort[to].missing) {
        missing += absent ? 1 : 0;
      }
    }
    std::vector<std::string> row{std::string(kDomainNames[key.domain]),
                                 kSplits[static_cast<int>(key.split)], std::to_string(to - from),
                                 std::to_string(masks)};
    for (int count : stages) {
      row.push_back(std::to_string(count));
    }
    row.push_back(std::to_string(missing));
    rows.push_back(row);
  }
  return format_table(rows);
}

}  // namespace hepar::phantom
