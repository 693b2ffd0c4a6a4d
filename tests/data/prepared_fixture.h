#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "hepar/io/prepared_writer.h"
#include "support/temporary.h"

namespace hepar::test {

/// A prepared set on disk: labelled cases "a" (labels 1 and 2), "b" (label 2, smaller than most
/// patches), "c" (no foreground), and "d" without labels. The formulas are those of
/// tests/oracle/patch_sampler.py. Stored positions are all voxels of a label.
class PreparedFixture {
 public:
  PreparedFixture() {
    PreparedIndex index;
    index.labels = {{"background", 0}, {"liver", 1}, {"lesion", 2}};
    index.plan_yaml = "test: true\n";
    PreparedShardWriter writer({folder_.path(), 0, 1});
    const auto add = [&](const std::string& id, SizeVox size,
                         const std::function<int(int)>& label) {
      index.cases.push_back(write(writer, id, size, label));
    };
    add("a", {12, 30, 25}, [](int i) { return i % 7 == 3 ? 2 : (i % 5 == 0 ? 1 : 0); });
    add("b", {5, 9, 40}, [](int i) { return i % 4 == 0 ? 2 : 0; });
    add("c", {20, 20, 20}, [](int) { return 0; });
    add("d", {6, 6, 6}, nullptr);
    writer.close();
    write_prepared_index(folder_.path(), index);
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  static PreparedCase write(PreparedShardWriter& writer, const std::string& id, SizeVox size,
                            const std::function<int(int)>& label) {
    PreparedSample sample;
    sample.record.id = sample.record.case_id = sample.record.patient = id;
    sample.record.size = sample.record.canonical.size = sample.record.crop.size = size;
    std::vector<float> image;
    std::vector<std::int16_t> labels;
    for (int i = 0; i < static_cast<int>(count(size)); ++i) {
      image.push_back(static_cast<float>(std::sin(0.37 * i) + static_cast<double>(id[0])));
      if (label) {
        labels.push_back(static_cast<std::int16_t>(label(i)));
      }
    }
    sample.channels = {image};
    sample.labels = labels;
    return writer.write(sample);
  }

  TemporaryFolder folder_;
};

}  // namespace hepar::test
