#include "convert/equal_images.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "hepar/core/error.h"

namespace hepar {

std::vector<Problem> shared_with(const fs::path& other, const std::vector<DecodedImage>& images,
                                 const std::vector<std::string>& allow_equal) {
  const fs::path path = other / "manifest.json";
  const Json json = read_json(path);
  const auto listed = [&](const std::string& id) {
    return std::find(allow_equal.begin(), allow_equal.end(), id) != allow_equal.end();
  };
  std::multimap<std::string, std::string> by_hash;  // hash -> case id
  std::set<std::string> ids;
  for (const Json& item : json_get<Json>(json, "cases", path.string())) {
    const auto id = json_get<std::string>(item, "id", path.string());
    ids.insert(id);
    for (const Json& sequence : json_get<Json>(item, "sequences", path.string())) {
      require<DataError>(sequence.contains(kValuesHash),
                         path.string() + ": case " + id + " has no " + kValuesHash +
                             ": made by an older version; convert it again");
      by_hash.emplace(sequence.at(kValuesHash), id);
    }
  }
  std::vector<Problem> problems;
  std::set<std::string> told;
  for (const DecodedImage& image : images) {
    if (ids.contains(image.id) && told.insert(image.id).second) {
      problems.push_back(
          {image.id, image.file + ": " + other.string() +
                         " holds a case of this id too; two sources cannot claim one "
                         "case"});
    }
    const auto [first, last] = by_hash.equal_range(image.hash);
    for (auto found = first; found != last; ++found) {
      if (!(listed(image.id) && listed(found->second))) {
        problems.push_back({image.id, image.file + " has the very voxels of case " + found->second +
                                          " in " + other.string() +
                                          "; remove one, or name both in allow_equal"});
      }
    }
  }
  return problems;
}

std::vector<Problem> equal_images(std::vector<DecodedImage> images,
                                  const std::vector<std::string>& allow_equal) {
  const auto listed = [&](const std::string& id) {
    return std::find(allow_equal.begin(), allow_equal.end(), id) != allow_equal.end();
  };
  std::sort(images.begin(), images.end(), [](const DecodedImage& a, const DecodedImage& b) {
    return std::tie(a.hash, a.id, a.file) < std::tie(b.hash, b.id, b.file);
  });
  std::vector<Problem> problems;
  const DecodedImage* first = nullptr;
  for (const DecodedImage& image : images) {
    if (first == nullptr || first->hash != image.hash) {
      first = &image;
    } else if (first->id != image.id && !(listed(first->id) && listed(image.id))) {
      problems.push_back({image.id, image.file + " (" + image.split +
                                        ") has the very voxels of case " + first->id + ", " +
                                        first->file + " (" + first->split +
                                        "); remove one, or name both in allow_equal"});
    }
  }
  return problems;
}

}  // namespace hepar
