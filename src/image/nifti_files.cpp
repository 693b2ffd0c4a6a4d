#include <array>
#include <optional>
#include <string_view>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "nifti_header.h"

namespace hepar {
namespace {

struct Name {
  std::string stem;
  std::string extension;  ///< ".nii.gz", lower case
};

/// Extensions are compared without case: some archives are all upper case.
std::optional<Name> split_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const std::string lower = to_lower(name);
  for (const std::string_view extension :
       {".nii.gz", ".nii", ".hdr.gz", ".hdr", ".img.gz", ".img"}) {
    if (lower.size() > extension.size() && lower.ends_with(extension)) {
      return Name{name.substr(0, name.size() - extension.size()), std::string(extension)};
    }
  }
  return std::nullopt;
}

/// The first of the candidates that exists; the partner with the same compression comes first.
std::optional<std::filesystem::path> find_partner(const std::filesystem::path& path,
                                                  const Name& name, const std::string& wanted) {
  const bool gzip = name.extension.ends_with(".gz");
  const std::array<std::string, 2> endings{gzip ? wanted + ".gz" : wanted,
                                           gzip ? wanted : wanted + ".gz"};
  for (const std::string& ending : endings) {
    std::filesystem::path candidate = path.parent_path() / (name.stem + ending);
    std::error_code ignored;
    if (std::filesystem::exists(candidate, ignored)) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string nifti_stem(const std::filesystem::path& path) {
  const auto name = split_name(path);
  return name ? name->stem : "";
}

namespace nifti {

bool is_gzip_name(const std::filesystem::path& path) {
  return to_lower(path.extension().string()) == ".gz";
}

Files find_files(const std::filesystem::path& path) {
  const auto name = split_name(path);
  require<DataError>(name.has_value(), path.string() +
                                           ": wanted a name ending in .nii, .nii.gz, "
                                           ".hdr, .hdr.gz, .img or .img.gz");
  if (name->extension.starts_with(".nii")) {
    return {path, path};
  }
  const bool is_header = name->extension.starts_with(".hdr");
  const std::string wanted = is_header ? ".img" : ".hdr";
  const auto partner = find_partner(path, *name, wanted);
  require<DataError>(partner.has_value(), path.string() + ": wanted " + name->stem + wanted +
                                              " or " + name->stem + wanted +
                                              ".gz beside it, found neither");
  return is_header ? Files{path, *partner} : Files{*partner, path};
}

}  // namespace nifti
}  // namespace hepar
