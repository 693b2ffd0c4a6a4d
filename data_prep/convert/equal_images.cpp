#include "convert/equal_images.h"

#include <algorithm>
#include <tuple>

namespace hepar {

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
