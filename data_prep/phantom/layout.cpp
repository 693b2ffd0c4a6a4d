#include "phantom/layout.h"

#include <array>
#include <cstring>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::phantom {

namespace {

struct LayoutEntry {
  const char* name;
  std::unique_ptr<LayoutWriter> (*make)(const std::filesystem::path& root);
};

constexpr std::array<LayoutEntry, 2> kLayouts{{
    {"liqa2024", [](const std::filesystem::path& root) { return make_liqa_layout(root, 2024); }},
    {"liqa2025", [](const std::filesystem::path& root) { return make_liqa_layout(root, 2025); }},
}};

}  // namespace

std::vector<std::string> layout_names() {
  std::vector<std::string> names;
  for (const LayoutEntry& entry : kLayouts) {
    names.emplace_back(entry.name);
  }
  return names;
}

std::unique_ptr<LayoutWriter> make_layout(const std::string& name,
                                          const std::filesystem::path& root) {
  for (const LayoutEntry& entry : kLayouts) {
    if (name == entry.name) {
      return entry.make(root);
    }
  }
  throw ConfigError("phantom: layout: wanted one of " + join(layout_names(), ", ") + ", found '" +
                    name + "'");
}

StoredImage stored_image(const RenderedSequence& rendered) {
  StoredImage stored;
  stored.grid = rendered.image.grid;
  stored.type = VoxelType::kInt16;
  stored.voxels.resize(rendered.image.voxels.size() * sizeof(std::int16_t));
  std::memcpy(stored.voxels.data(), rendered.image.voxels.data(), stored.voxels.size());
  return stored;
}

StoredImage stored_mask(const RenderedSequence& rendered) {
  RenderedSequence mask{rendered.sequence, {rendered.image.grid, {}}, {}};
  mask.image.voxels.assign(rendered.mask.begin(), rendered.mask.end());
  return stored_image(mask);  // int16 with values 0 and 1, as the real masks are
}

}  // namespace hepar::phantom
