#include "spatial_transform.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace hepar {
namespace {

using Matrix = std::array<std::array<double, 3>, 3>;

constexpr double kPlanarDegrees = 180;  // nnU-Net's in-plane mode turns freely

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) {
        result[i][j] += a[i][k] * b[k][j];
      }
    }
  }
  return result;
}

/// One row of target voxels in source coordinates: source = base + x · step, in float so that every
/// loop that asks sees the same number.
struct Line {
  std::array<float, 3> base, step;
  [[nodiscard]] float at(std::size_t axis, std::int64_t x) const {
    return base[axis] + static_cast<float>(static_cast<std::int32_t>(x)) * step[axis];
  }
};

/// The source as the sampler needs it. Planar sampling reads one slice only: its second plane is
/// the first.
struct SourceGrid {
  SizeVox size;
  bool planar;
  [[nodiscard]] std::int64_t plane() const { return size.y * size.x; }
  [[nodiscard]] std::int64_t next_plane() const { return planar ? 0 : plane(); }
};

/// Corner of each target voxel of a row and its weights, for those whose eight corners are all
/// inside.
struct RowTable {
  std::vector<std::int32_t> corner;
  std::vector<float> wz, wy, wx;  ///< of the upper corner
  explicit RowTable(std::size_t n) : corner(n), wz(n), wy(n), wx(n) {}
};

struct Interval {
  std::int64_t begin, end;
};

/// The x in [0, n) whose corners are all inside. at() is monotonic in x, so the ends decide.
Interval inner_interval(const Line& line, const SourceGrid& source, std::int64_t n) {
  Interval result{0, n};
  for (std::size_t axis = source.planar ? 1 : 0; axis < 3; ++axis) {
    const auto limit = static_cast<float>(source.size[static_cast<int>(axis)] - 1);
    const auto inside = [&](std::int64_t x) {
      const float at = line.at(axis, x);
      return at >= 0 && at < limit;
    };
    const double step = line.step[axis];
    if (step == 0) {
      if (!inside(0)) {
        return {0, 0};
      }
      continue;
    }
    const double zero = -static_cast<double>(line.base[axis]) / step;
    const double full = (static_cast<double>(limit) - static_cast<double>(line.base[axis])) / step;
    const auto clamp = [n](double x) {
      return static_cast<std::int64_t>(std::clamp(x, 0.0, static_cast<double>(n)));
    };
    result.begin = std::max(result.begin, clamp(std::ceil(std::min(zero, full)) - 1));
    result.end = std::min(result.end, clamp(std::floor(std::max(zero, full)) + 2));
    while (result.begin < result.end && !inside(result.begin)) {
      ++result.begin;
    }
    while (result.begin < result.end && !inside(result.end - 1)) {
      --result.end;
    }
  }
  return result.begin < result.end ? result : Interval{0, 0};
}

void fill_table(const Line& line, const SourceGrid& source, const Interval& range,
                RowTable& table) {
  const auto plane = static_cast<std::int32_t>(source.plane());
  const auto width = static_cast<std::int32_t>(source.size.x);
  for (std::int64_t x = range.begin; x < range.end; ++x) {
    const float z = line.at(0, x);
    const float y = line.at(1, x);
    const float at_x = line.at(2, x);
    const auto iz = static_cast<std::int32_t>(z);
    const auto iy = static_cast<std::int32_t>(y);
    const auto ix = static_cast<std::int32_t>(at_x);
    const auto i = static_cast<std::size_t>(x);
    table.corner[i] = iz * plane + iy * width + ix;
    table.wz[i] = z - static_cast<float>(iz);
    table.wy[i] = y - static_cast<float>(iy);
    table.wx[i] = at_x - static_cast<float>(ix);
  }
}

float mix(float low, float high, float weight) { return low + weight * (high - low); }

void sample_image_row(const float* source, const SourceGrid& grid, const RowTable& table,
                      const Interval& range, float* __restrict target) {
  const float* upper = source + grid.next_plane();
  const std::int64_t width = grid.size.x;
  const std::int32_t* corner = table.corner.data();
  const float* wz = table.wz.data();
  const float* wy = table.wy.data();
  const float* wx = table.wx.data();
  for (std::int64_t x = range.begin; x < range.end; ++x) {
    const std::int32_t c = corner[x];
    const float low = mix(mix(source[c], source[c + 1], wx[x]),
                          mix(source[c + width], source[c + width + 1], wx[x]), wy[x]);
    const float high = mix(mix(upper[c], upper[c + 1], wx[x]),
                           mix(upper[c + width], upper[c + width + 1], wx[x]), wy[x]);
    target[x] = mix(low, high, wz[x]);
  }
}

/// Eight labels and where the point lies between them.
struct Corners {
  std::array<std::int16_t, 8> label;  ///< bit 2: z, bit 1: y, bit 0: x
  std::array<float, 3> upper;         ///< weights of the upper corner (z, y, x)
};

/// The label with the largest summed weight. The nearest corner's label starts, so that it wins
/// ties.
std::int16_t heaviest_label(const Corners& corners) {
  std::array<float, 8> weight;
  for (unsigned i = 0; i < 8; ++i) {
    weight[i] = ((i & 4U) != 0 ? corners.upper[0] : 1 - corners.upper[0]) *
                ((i & 2U) != 0 ? corners.upper[1] : 1 - corners.upper[1]) *
                ((i & 1U) != 0 ? corners.upper[2] : 1 - corners.upper[2]);
  }
  const unsigned nearest = (corners.upper[0] >= 0.5F ? 4U : 0U) |
                           (corners.upper[1] >= 0.5F ? 2U : 0U) |
                           (corners.upper[2] >= 0.5F ? 1U : 0U);
  std::int16_t best = corners.label[nearest];
  float best_weight = -1;
  for (unsigned turn = 0; turn < 8; ++turn) {
    const std::int16_t candidate = corners.label[turn ^ nearest];
    float sum = 0;
    for (unsigned i = 0; i < 8; ++i) {
      sum += corners.label[i] == candidate ? weight[i] : 0.0F;
    }
    if (sum > best_weight) {
      best = candidate;
      best_weight = sum;
    }
  }
  return best;
}

/// Two labels that are neighbours along x, as one word.
std::uint32_t label_pair(const std::int16_t* labels) {
  std::uint32_t pair = 0;
  std::memcpy(&pair, labels, sizeof pair);
  return pair;
}

void sample_label_row(const std::int16_t* source, const SourceGrid& grid, const RowTable& table,
                      const Interval& range, std::int16_t* target) {
  const std::int16_t* upper = source + grid.next_plane();
  const std::int64_t width = grid.size.x;
  for (std::int64_t x = range.begin; x < range.end; ++x) {
    const auto i = static_cast<std::size_t>(x);
    const std::int32_t c = table.corner[i];
    const std::uint32_t first = label_pair(source + c);
    const std::uint32_t second = label_pair(source + c + width);
    const std::uint32_t third = label_pair(upper + c);
    const std::uint32_t fourth = label_pair(upper + c + width);
    const bool same =
        first == second && third == fourth && first == third && (first & 0xFFFFU) == first >> 16U;
    if (same) {  // almost everywhere
      target[x] = source[c];
      continue;
    }
    target[x] = heaviest_label({{source[c], source[c + 1], source[c + width], source[c + width + 1],
                                 upper[c], upper[c + 1], upper[c + width], upper[c + width + 1]},
                                {table.wz[i], table.wy[i], table.wx[i]}});
  }
}

/// One target voxel of which some corners are outside.
struct BorderVoxel {
  std::array<std::int64_t, 8> corner;  ///< linear index, −1 outside
  std::array<float, 3> upper;
};

BorderVoxel border_voxel(const Line& line, const SourceGrid& grid, std::int64_t x) {
  BorderVoxel voxel{};
  std::array<std::int64_t, 3> low;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    // Far outside is all the same; the clamp keeps the cast in range.
    const float at = std::clamp(line.at(axis, x), -4.0F,
                                static_cast<float>(grid.size[static_cast<int>(axis)]) + 4.0F);
    low[axis] = static_cast<std::int64_t>(std::floor(at));
    voxel.upper[axis] = at - static_cast<float>(low[axis]);
  }
  for (unsigned i = 0; i < 8; ++i) {
    const std::int64_t z = low[0] + (!grid.planar && (i & 4U) != 0 ? 1 : 0);
    const std::int64_t y = low[1] + ((i & 2U) != 0 ? 1 : 0);
    const std::int64_t at_x = low[2] + ((i & 1U) != 0 ? 1 : 0);
    const bool inside =
        z >= 0 && z < grid.size.z && y >= 0 && y < grid.size.y && at_x >= 0 && at_x < grid.size.x;
    voxel.corner[i] = inside ? linear_index(grid.size, {z, y, at_x}) : -1;
  }
  return voxel;
}

float border_value(const float* source, const BorderVoxel& voxel) {
  std::array<float, 8> v;
  for (std::size_t i = 0; i < 8; ++i) {
    v[i] = voxel.corner[i] < 0 ? 0.0F : source[voxel.corner[i]];
  }
  const auto& [wz, wy, wx] = voxel.upper;
  const float low = mix(mix(v[0], v[1], wx), mix(v[2], v[3], wx), wy);
  const float high = mix(mix(v[4], v[5], wx), mix(v[6], v[7], wx), wy);
  return mix(low, high, wz);
}

std::int16_t border_label(const std::int16_t* source, const BorderVoxel& voxel) {
  Corners corners{{}, voxel.upper};
  for (std::size_t i = 0; i < 8; ++i) {
    corners.label[i] = voxel.corner[i] < 0 ? std::int16_t{-1} : source[voxel.corner[i]];
  }
  return heaviest_label(corners);
}

void sample_border(const Patch& source, const SourceGrid& grid, const Line& line, std::int64_t x,
                   std::int64_t row, Patch& target) {
  const BorderVoxel voxel = border_voxel(line, grid, x);
  const std::int64_t source_voxels = count(source.size);
  const std::int64_t target_voxels = count(target.size);
  for (std::int64_t c = 0; c < source.channels; ++c) {
    target.image[static_cast<std::size_t>(c * target_voxels + row + x)] =
        border_value(source.image.data() + c * source_voxels, voxel);
  }
  target.labels[static_cast<std::size_t>(row + x)] = border_label(source.labels.data(), voxel);
}

Patch empty_patch(int channels, SizeVox size) {
  Patch patch;
  patch.channels = channels;
  patch.size = size;
  const auto voxels = static_cast<std::size_t>(count(size));
  patch.image.assign(voxels * static_cast<std::size_t>(channels), 0.0F);
  patch.labels.assign(voxels, std::int16_t{-1});
  return patch;
}

/// Where the crop of crop_patch() begins.
std::int64_t crop_start(std::int64_t source, std::int64_t target) {
  return source / 2 - target / 2;
}

Line line_at(const Matrix& matrix, SizeVox source, SizeVox target, std::int64_t z, std::int64_t y) {
  const auto centre = [](std::int64_t n) { return 0.5 * static_cast<double>(n - 1); };
  const std::array<double, 3> from{static_cast<double>(z) - centre(target.z),
                                   static_cast<double>(y) - centre(target.y), -centre(target.x)};
  Line line{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto& row = matrix[axis];
    line.base[axis] = static_cast<float>(row[0] * from[0] + row[1] * from[1] + row[2] * from[2] +
                                         centre(source[static_cast<int>(axis)]));
    line.step[axis] = static_cast<float>(row[2]);
  }
  return line;
}

}  // namespace

SpatialDraw draw_spatial(const AugmentationConfig& config, bool planar, RandomStream& random) {
  SpatialDraw draw;
  draw.planar = planar;
  const bool rotate = random.chance(config.rotation_probability);
  const bool scale = random.chance(config.scaling_probability);
  if (rotate) {
    const double most =
        (planar ? kPlanarDegrees : config.rotation_degrees) * std::numbers::pi / 180;
    for (std::size_t axis = planar ? 2 : 0; axis < 3; ++axis) {
      draw.angles[axis] = random.uniform(-most, most);
    }
  }
  if (scale) {
    draw.scale = random.uniform(config.scaling_range[0], config.scaling_range[1]);
  }
  draw.apply = rotate || scale;
  return draw;
}

Matrix sampling_matrix(const SpatialDraw& draw) {
  const auto [a, b, c] = draw.angles;
  const Matrix first{{{1, 0, 0}, {0, std::cos(a), -std::sin(a)}, {0, std::sin(a), std::cos(a)}}};
  if (draw.planar) {
    const double cosine = draw.scale * std::cos(c);
    const double sine = draw.scale * std::sin(c);
    return {{{1, 0, 0}, {0, cosine, -sine}, {0, sine, cosine}}};
  }
  const Matrix second{{{std::cos(b), 0, std::sin(b)}, {0, 1, 0}, {-std::sin(b), 0, std::cos(b)}}};
  const Matrix third{{{std::cos(c), -std::sin(c), 0}, {std::sin(c), std::cos(c), 0}, {0, 0, 1}}};
  Matrix result = product(product(third, second), first);
  for (auto& row : result) {
    for (double& value : row) {
      value *= draw.scale;
    }
  }
  return result;
}

Patch resample_patch(const Patch& source, SizeVox size, const SpatialDraw& draw) {
  const Matrix matrix = sampling_matrix(draw);
  const SourceGrid grid{source.size, draw.planar};
  Patch target = empty_patch(source.channels, size);
  RowTable table(static_cast<std::size_t>(size.x));
  for (std::int64_t z = 0; z < size.z; ++z) {
    const std::int64_t slice = z + crop_start(source.size.z, size.z);
    if (draw.planar && (slice < 0 || slice >= source.size.z)) {
      continue;
    }
    for (std::int64_t y = 0; y < size.y; ++y) {
      Line line = line_at(matrix, source.size, size, z, y);
      if (draw.planar) {
        line.base[0] = static_cast<float>(slice);
      }
      const Interval inner = inner_interval(line, grid, size.x);
      fill_table(line, grid, inner, table);
      const std::int64_t row = (z * size.y + y) * size.x;
      for (std::int64_t c = 0; c < source.channels; ++c) {
        sample_image_row(source.image.data() + c * count(source.size), grid, table, inner,
                         target.image.data() + c * count(size) + row);
      }
      sample_label_row(source.labels.data(), grid, table, inner, target.labels.data() + row);
      for (std::int64_t x = 0; x < inner.begin; ++x) {
        sample_border(source, grid, line, x, row, target);
      }
      for (std::int64_t x = inner.end; x < size.x; ++x) {
        sample_border(source, grid, line, x, row, target);
      }
    }
  }
  return target;
}

Patch crop_patch(const Patch& source, SizeVox target) {
  Patch result = empty_patch(source.channels, target);
  OffsetVox start, begin, end;
  for (int axis = 0; axis < 3; ++axis) {
    start[axis] = crop_start(source.size[axis], target[axis]);
    begin[axis] = std::max<std::int64_t>(0, -start[axis]);
    end[axis] = std::min(target[axis], source.size[axis] - start[axis]);
  }
  if (end.x <= begin.x) {
    return result;
  }
  for (std::int64_t z = begin.z; z < end.z; ++z) {
    for (std::int64_t y = begin.y; y < end.y; ++y) {
      const std::int64_t from =
          linear_index(source.size, {z + start.z, y + start.y, begin.x + start.x});
      const std::int64_t to = linear_index(target, {z, y, begin.x});
      for (std::int64_t c = 0; c < source.channels; ++c) {
        std::copy_n(source.image.data() + c * count(source.size) + from, end.x - begin.x,
                    result.image.data() + c * count(target) + to);
      }
      std::copy_n(source.labels.data() + from, end.x - begin.x, result.labels.data() + to);
    }
  }
  return result;
}

}  // namespace hepar
