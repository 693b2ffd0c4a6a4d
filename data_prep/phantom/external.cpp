#include "phantom/external.h"

#include <algorithm>
#include <array>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/parallel.h"
#include "hepar/core/progress.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "phantom/new_folder.h"

namespace hepar::phantom {
namespace {

/// Raised when the external sets get other voxels or other files.
constexpr int kExternalVersion = 1;

struct Entry {
  const char* name;
  std::unique_ptr<ExternalSet> (*make)(const ExternalPlace& place);
  ExternalCounts paper, quick, tiny;
};

constexpr std::array<Entry, 3> kSets{{
    {"amos", make_amos_phantom, {40, 20, 20, 4}, {10, 3, 2, 2}, {2, 1, 1, 1}},
    {"atlas", make_atlas_phantom, {60, 0, 0, 0}, {10, 0, 0, 0}, {2, 0, 0, 0}},
    {"chaos", make_chaos_phantom, {20, 0, 20, 0}, {8, 0, 2, 0}, {2, 0, 1, 0}},
}};

const Entry& entry_of(const std::string& name) {
  const auto* found = std::find_if(kSets.begin(), kSets.end(),
                                   [&](const Entry& entry) { return name == entry.name; });
  if (found == kSets.end()) {
    throw ConfigError("phantom: --external: wanted some of " + join(external_names(), ", ") +
                      ", found '" + name + "'");
  }
  return *found;
}

ExternalPlace place_of(const Entry& entry, const ExternalRequest& request, const fs::path& root) {
  const PhantomParameters parameters;
  ExternalPlace place;
  place.root = root / entry.name;
  place.seed = xxh64("external/" + std::string(entry.name) + "/" + std::to_string(request.seed));
  place.grid_scale = parameters.preset(request.preset).grid_scale;
  place.counts = request.preset == "paper" ? entry.paper
                                           : (request.preset == "quick" ? entry.quick : entry.tiny);
  return place;
}

Organ organ_at(const Mixture& mixture, const WorldMm& point) {
  if (mixture.liver) {
    const bool tumour = mixture.share[static_cast<std::size_t>(Tissue::kLesion)] > 0.5;
    return tumour ? Organ::kTumour : Organ::kLiver;
  }
  const auto most = std::max_element(mixture.share.begin(), mixture.share.end());
  switch (static_cast<Tissue>(most - mixture.share.begin())) {
    case Tissue::kSpleen:
      return Organ::kSpleen;
    case Tissue::kKidney:
      return point.r > 0 ? Organ::kRightKidney : Organ::kLeftKidney;
    case Tissue::kStomach:
      return Organ::kStomach;
    case Tissue::kVessel:
      return point.r > 0 ? Organ::kCava : Organ::kAorta;
    default:
      return Organ::kNone;
  }
}

}  // namespace

std::vector<std::string> external_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kSets) {
    names.emplace_back(entry.name);
  }
  return names;
}

Patient external_patient(const ExternalPlace& place, int index, int domain,
                         const PhantomParameters& parameters) {
  const PatientKey key{place.seed, domain, Split::kTrain, static_cast<std::uint32_t>(index)};
  return make_patient({key, index % kStages, Variant::kPlain, place.grid_scale}, parameters);
}

std::vector<Organ> organs_of(const Anatomy& anatomy, const Acquisition& acquisition) {
  const Grid& grid = acquisition.grid;
  const double softness_mm = 0.6 * grid.spacing.x;  // as the images are rendered
  std::vector<Organ> organs;
  organs.reserve(static_cast<std::size_t>(count(grid.size)));
  for (std::int64_t z = 0; z < grid.size.z; ++z) {
    for (std::int64_t y = 0; y < grid.size.y; ++y) {
      for (std::int64_t x = 0; x < grid.size.x; ++x) {
        const WorldMm point = acquisition.to_anatomy(
            to_world(grid, static_cast<double>(z), static_cast<double>(y), static_cast<double>(x)));
        organs.push_back(organ_at(anatomy.at(point, softness_mm), point));
      }
    }
  }
  return organs;
}

LabelImage labels_of(const std::vector<Organ>& organs, const Grid& grid,
                     const std::vector<int>& values) {
  LabelImage labels{grid, std::vector<std::int16_t>(organs.size())};
  std::transform(organs.begin(), organs.end(), labels.voxels.begin(), [&](Organ organ) {
    return static_cast<std::int16_t>(values.at(static_cast<std::size_t>(organ)));
  });
  return labels;
}

void check_external(const ExternalRequest& request) {
  for (const std::string& name : request.sets) {
    (void)entry_of(name);
  }
}

void generate_external(const ExternalRequest& request) {
  check_external(request);
  const fs::path out = fs::absolute(request.out / "").parent_path();
  const fs::path partial = new_partial_folder(out, Json{{"phantom", "external"},
                                                        {"version", kExternalVersion},
                                                        {"seed", request.seed},
                                                        {"preset", request.preset},
                                                        {"sets", request.sets},
                                                        {"code", version()}});
  for (const std::string& name : request.sets) {
    const Entry& entry = entry_of(name);
    const auto set = entry.make(place_of(entry, request, partial));
    Progress progress("phantom " + name, set->patients());
    parallel_for(set->patients(), request.threads, [&](std::int64_t i) {
      set->write(static_cast<int>(i));
      progress.advance();
    });
    set->finish();
  }
  fs::remove(out);  // empty, or not there
  fs::rename(partial, out);
  sync_path(out.parent_path());
}

}  // namespace hepar::phantom
