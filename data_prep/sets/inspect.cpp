#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <limits>
#include <set>
#include <span>

#include "convert/image_files.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "hepar/prep/sets.h"
#include "sets/arrays.h"
#include "sets/prepared_grid.h"

namespace hepar {
namespace {

Json affine_of(const Grid& grid) {
  Json rows = Json::array();
  for (double WorldMm::*component : {&WorldMm::r, &WorldMm::a, &WorldMm::s}) {
    rows.push_back({grid.axis[2].*component * grid.spacing.x,
                    grid.axis[1].*component * grid.spacing.y,
                    grid.axis[0].*component * grid.spacing.z, grid.origin.*component});
  }
  rows.push_back({0.0, 0.0, 0.0, 1.0});
  return rows;
}

struct Extremes {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0;
};

Extremes extremes_of(const StoredImage& image) {
  return with_voxel_type(image.type, [&](auto zero) {
    using T = decltype(zero);
    Extremes found;
    for (std::size_t at = 0; at < image.voxels.size(); at += sizeof(T)) {
      T stored;
      std::memcpy(&stored, image.voxels.data() + at, sizeof(T));
      const double value = static_cast<double>(stored) * image.slope + image.intercept;
      found.low = std::min(found.low, value);
      found.high = std::max(found.high, value);
      found.sum += value;
    }
    return found;
  });
}

/// One line of the answer.
Json describe(const std::string& file, const StoredImage& image) {
  const Extremes values = extremes_of(image);
  const Grid& grid = image.grid;
  return Json{{"file", file},
              {"status", "ok"},
              {"reason", ""},
              {"notes", image.notes},
              {"size", {grid.size.z, grid.size.y, grid.size.x}},
              {"spacing_mm", {grid.spacing.z, grid.spacing.y, grid.spacing.x}},
              {"affine", affine_of(grid)},
              {"type", to_string(image.type)},
              {"slope", image.slope},
              {"intercept", image.intercept},
              {"min", values.low},
              {"max", values.high},
              {"mean", values.sum / static_cast<double>(count(grid.size))},
              {"xxh64", to_hex(xxh64(std::span<const std::byte>(image.voxels)))}};
}

/// Runs `read` and describes what it gives, or why it is refused.
Json describe_or_refuse(const std::string& file, const std::function<StoredImage()>& read) {
  try {
    return describe(file, read());
  } catch (const std::bad_alloc&) {
    return {{"file", file}, {"status", "refused"}, {"reason", "needs more memory than there is"}};
  } catch (const std::exception& e) {
    return {{"file", file}, {"status", "refused"}, {"reason", e.what()}};
  }
}

bool is_image(const fs::path& path) {
  const std::string name = to_lower(path.filename().string());
  return name.ends_with(".nii") || name.ends_with(".nii.gz") || name.ends_with(".hdr");
}

/// NIfTI files, and folders that hold .dcm files: each is read as one series.
std::vector<fs::path> images_below(const fs::path& folder) {
  std::set<fs::path> files;
  const auto options = fs::directory_options::skip_permission_denied;
  for (const auto& entry : fs::recursive_directory_iterator(folder, options)) {
    if (!entry.is_directory() && is_image(entry.path())) {
      files.insert(entry.path());
    } else if (!entry.is_directory() && to_lower(entry.path().extension().string()) == ".dcm") {
      files.insert(entry.path().parent_path());
    }
  }
  return {files.begin(), files.end()};
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string three(const Json& values) {
  return number(values.at(0)) + " x " + number(values.at(1)) + " x " + number(values.at(2));
}

/// Answers in the asked form; lines of JSON at once, a table at the end.
class Answer {
 public:
  explicit Answer(bool json) : json_(json) {
    rows_.push_back({"file", "size z,y,x", "spacing mm", "type", "min", "max", "mean", "notes"});
  }

  void add(const Json& line) {
    if (json_) {
      log::print(line.dump(-1, ' ', false, Json::error_handler_t::replace));
    } else if (line.at("status") == "ok") {
      rows_.push_back({line.at("file"), three(line.at("size")), three(line.at("spacing_mm")),
                       line.at("type"), number(line.at("min")), number(line.at("max")),
                       number(line.at("mean")),
                       join(line.at("notes").get<std::vector<std::string>>(), "; ")});
    } else {
      refused_ += "refused: " + line.at("reason").get<std::string>() + "\n";
    }
  }

  void finish() const {
    if (!json_) {
      log::print((rows_.size() > 1 ? format_table(rows_) : "") + refused_);
    }
  }

 private:
  bool json_;
  std::vector<std::vector<std::string>> rows_;
  std::string refused_;
};

void inspect_cohort(const fs::path& folder, Answer& answer) {
  const Manifest manifest = read_manifest(folder);
  for (const CaseRecord& item : manifest.cases) {
    for (const SequenceRecord& sequence : item.sequences) {
      answer.add(describe_or_refuse(item.id + "/" + sequence.sequence, [&] {
        const ShardReader reader(folder /
                                 manifest.shards.at(static_cast<std::size_t>(item.shard)).file);
        StoredImage image = read_array(reader, sequence.image, sequence.grid);
        image.notes = sequence.notes;
        return image;
      }));
    }
  }
}

void inspect_prepared(const fs::path& folder, Answer& answer) {
  const PreparedSet set(folder, 0);
  const auto channels = static_cast<std::size_t>(set.channels());
  for (std::size_t i = 0; i < set.cases().size(); ++i) {
    const PreparedCase& item = set.cases()[i];
    const auto voxels = static_cast<std::size_t>(count(item.size));
    for (std::size_t c = 0; c < channels; ++c) {
      std::string name = item.id;
      if (channels > 1) {
        name.append(":").append(std::to_string(c));
      }
      answer.add(describe_or_refuse(name, [&] {
        std::vector<float> values(channels * voxels);
        set.read_patch(i, {{0, 0, 0}, item.size}, values, {});
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(c * voxels);
        return from_float(
            {prepared_grid(item), {first, first + static_cast<std::ptrdiff_t>(voxels)}});
      }));
    }
  }
}

void inspect_folder(const fs::path& folder, Answer& answer) {
  const std::vector<fs::path> files = images_below(folder);
  require<DataError>(!files.empty(),
                     folder.string() + ": wanted NIfTI or DICOM (.dcm) files or a set, found none");
  for (const fs::path& file : files) {
    answer.add(describe_or_refuse(file.string(), [&] { return read_image(file); }));
  }
}

}  // namespace

void InspectConfig::declare(ConfigSchema& schema) {
  schema.add("in", in, "A NIfTI or DICOM file, a folder of them, a cohort or a prepared set", {},
             Effect::kNone);
  schema.add("json", json, "One JSON object a line instead of a table", {}, Effect::kNone);
}

void inspect(const InspectConfig& config) {
  const fs::path path = config.in;
  require<ConfigError>(!path.empty(), "inspect: --in is missing: a file or a folder");
  Answer answer(config.json);
  std::string refused;
  if (!fs::is_directory(path)) {
    const Json line = describe_or_refuse(path.string(), [&] { return read_image(path); });
    answer.add(line);
    refused = line.at("reason");
  } else if (fs::exists(path / "manifest.json")) {
    inspect_cohort(path, answer);
  } else if (fs::exists(path / "prepared.json")) {
    inspect_prepared(path, answer);
  } else {
    inspect_folder(path, answer);
  }
  answer.finish();
  require<DataError>(refused.empty(), refused);
}

}  // namespace hepar
