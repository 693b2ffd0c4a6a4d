#include "dicom_stack.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "hepar/core/error.h"

namespace hepar::dicom {
namespace {

constexpr double kSameDirection = 1e-4;  // components of unit vectors: headers round at 1e-6
constexpr double kSameSpacing = 1e-4;    // relative
constexpr double kSamePositionMm = 1e-3;
constexpr double kStraightMm = 0.1;     // a slice's first pixel off the line through the others
constexpr double kRegularMm = 0.05;     // a gap against the middle one …
constexpr double kRegularShare = 0.02;  // … or this share of it

double dot(const Point& a, const Point& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
Point cross(const Point& a, const Point& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Point scaled(const Point& a, double factor) {
  return {a[0] * factor, a[1] * factor, a[2] * factor};
}
Point minus(const Point& a, const Point& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
WorldMm to_ras(const Point& lps) { return {0.0 - lps[0], 0.0 - lps[1], lps[2]}; }

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

/// Unit vectors of one orientation: along a row (x), along a column (y), and their normal (z).
struct Axes {
  Point x, y, z;
};

Axes axes_of(const Plane& plane) {
  const auto& d = *plane.directions;
  const Point x{d[0], d[1], d[2]};
  const Point y{d[3], d[4], d[5]};
  const bool orthonormal = std::abs(dot(x, x) - 1) < 1e-3 && std::abs(dot(y, y) - 1) < 1e-3 &&
                           std::abs(dot(x, y)) < 1e-3;
  require<DataError>(orthonormal, plane.name +
                                      ": (0020,0037) ImageOrientationPatient: wanted two unit "
                                      "vectors at a right angle");
  Axes axes;
  axes.x = scaled(x, 1 / std::sqrt(dot(x, x)));
  const Point upright = minus(y, scaled(axes.x, dot(axes.x, y)));
  axes.y = scaled(upright, 1 / std::sqrt(dot(upright, upright)));
  axes.z = cross(axes.x, axes.y);
  return axes;
}

void require_one_series(const std::vector<FileHeader>& files, const std::string& where) {
  const FileHeader& first = files.front();
  for (const FileHeader& file : files) {
    require<DataError>(
        file.series == first.series,
        where + ": wanted the files of one series, found two: " + first.path.filename().string() +
            " of " + first.series + " and " + file.path.filename().string() + " of " + file.series +
            "; put each into a folder of its own");
    require<DataError>(file.rows == first.rows && file.columns == first.columns,
                       file.path.string() + ": wanted " + std::to_string(first.rows) + " x " +
                           std::to_string(first.columns) + " pixels as in " +
                           first.path.filename().string() + ", found " + std::to_string(file.rows) +
                           " x " + std::to_string(file.columns));
    require<DataError>(file.type == first.type, file.path.string() + ": wanted pixels of " +
                                                    to_string(first.type) + " as in " +
                                                    first.path.filename().string() + ", found " +
                                                    to_string(file.type));
  }
}

void require_geometry(const Plane& plane) {
  require<DataError>(
      plane.first && plane.directions && plane.spacing,
      plane.name +
          ": wanted position (0020,0032), orientation (0020,0037) and pixel "
          "spacing (0028,0030) of every slice, found " +
          (!plane.first ? "no position"
                        : (!plane.directions ? "no orientation" : "no pixel spacing")));
}

void require_pixel_size(const Plane& plane) {
  const auto& spacing = *plane.spacing;
  require<DataError>(spacing[0] > 0 && spacing[1] > 0,
                     plane.name +
                         ": (0028,0030) PixelSpacing: wanted two sizes above 0 mm, found " +
                         number(spacing[0]) + " and " + number(spacing[1]));
}

void require_same_plane(const Plane& first, const Plane& other) {
  for (std::size_t i = 0; i < 6; ++i) {
    require<DataError>(
        std::abs((*first.directions)[i] - (*other.directions)[i]) <= kSameDirection,
        other.name + ": lies in another direction than " + first.name +
            "; wanted slices of one orientation (a localizer, or two series in one folder?)");
  }
  for (std::size_t i = 0; i < 2; ++i) {
    require<DataError>(std::abs((*first.spacing)[i] / (*other.spacing)[i] - 1) <= kSameSpacing,
                       other.name + ": wanted pixels of " + number((*first.spacing)[i]) +
                           " mm as in " + first.name + ", found " + number((*other.spacing)[i]) +
                           " mm");
  }
}

/// Two planes at one place: a second echo, b-value or time point, or a copy.
void require_distinct(const std::vector<Plane>& planes, const std::vector<double>& at,
                      const std::string& where) {
  for (std::size_t i = 1; i < planes.size(); ++i) {
    if (at[i] - at[i - 1] < kSamePositionMm) {
      std::size_t places = 1;
      for (std::size_t j = 1; j < planes.size(); ++j) {
        places += at[j] - at[j - 1] >= kSamePositionMm ? 1 : 0;
      }
      throw DataError(where + ": two slices lie at one position (" + number(at[i]) +
                      " mm along the normal): " + planes[i - 1].name + " and " + planes[i].name +
                      "; " + std::to_string(planes.size()) + " slices at " +
                      std::to_string(places) +
                      " positions: keep one of a copy, one echo, b-value or time point");
    }
  }
}

double middle_gap(const std::vector<double>& at) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < at.size(); ++i) {
    gaps.push_back(at[i] - at[i - 1]);
  }
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle;
}

void require_regular(const std::vector<Plane>& planes, const std::vector<double>& at,
                     const std::string& where) {
  const double gap = middle_gap(at);
  const double tolerance = std::max(kRegularMm, kRegularShare * gap);
  for (std::size_t i = 1; i < planes.size(); ++i) {
    const double found = at[i] - at[i - 1];
    if (std::abs(found - gap) <= tolerance) {
      continue;
    }
    const double steps = std::round(found / gap);
    const bool missing = steps >= 2 && std::abs(found - steps * gap) <= steps * tolerance;
    throw DataError(
        where + ": " +
        (missing ? std::to_string(static_cast<int>(steps) - 1) + " slices are missing between "
                 : std::string("the slices are not evenly spaced: between ")) +
        planes[i - 1].name + " and " + planes[i].name + " wanted " + number(gap) + " mm, found " +
        number(found) + " mm");
  }
}

/// All first pixels must lie on one line along the normal; a gantry tilt shears the volume.
void require_upright(const std::vector<Plane>& planes, const Axes& axes) {
  for (const Plane& plane : planes) {
    const Point step = minus(*plane.first, *planes.front().first);
    const double aside = std::hypot(dot(step, axes.x), dot(step, axes.y));
    require<DataError>(
        aside <= kStraightMm,
        plane.name + ": lies " + number(aside) +
            " mm aside of the line through the "
            "slices; wanted slices stacked along their normal (is the gantry tilted?)");
  }
}

double through_plane_of(const Plane& plane, std::vector<std::string>& notes) {
  const bool between = plane.between && *plane.between > 0;
  const bool thickness = plane.thickness && *plane.thickness > 0;
  notes.emplace_back("a single slice: its third spacing is ");
  notes.back().append(between ? "SpacingBetweenSlices"
                              : (thickness ? "its thickness" : "unknown and taken as 1 mm"));
  return between ? *plane.between : (thickness ? *plane.thickness : 1.0);
}

/// One image, as often without any geometry (secondary captures).
Stack single_plane(const FileHeader& file) {
  Plane plane = file.planes.front();
  Stack stack;
  if (!plane.first || !plane.directions || !plane.spacing) {
    stack.notes.emplace_back(
        "no position, orientation or pixel spacing: missing ones are taken as "
        "0 mm, axial and 1 mm");
    plane.first = plane.first.value_or(Point{0, 0, 0});
    plane.directions = plane.directions.value_or(std::array<double, 6>{1, 0, 0, 0, 1, 0});
    plane.spacing = plane.spacing.value_or(std::array<double, 2>{1, 1});
  }
  require_pixel_size(plane);
  const double thickness = through_plane_of(plane, stack.notes);
  const Axes axes = axes_of(plane);
  stack.grid = {{1, file.rows, file.columns},
                {thickness, (*plane.spacing)[0], (*plane.spacing)[1]},
                to_ras(*plane.first),
                {to_ras(axes.z), to_ras(axes.y), to_ras(axes.x)}};
  stack.planes = {std::move(plane)};
  return stack;
}

}  // namespace

Stack stack_planes(const std::vector<FileHeader>& files, const std::string& where) {
  require_one_series(files, where);
  if (files.size() == 1 && files.front().planes.size() == 1) {
    return single_plane(files.front());
  }
  Stack stack;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (Plane plane : files[i].planes) {
      plane.file = i;
      require_geometry(plane);
      require_pixel_size(plane);
      stack.planes.push_back(std::move(plane));
    }
  }
  const Axes axes = axes_of(stack.planes.front());
  for (const Plane& plane : stack.planes) {
    require_same_plane(stack.planes.front(), plane);
  }
  const auto along = [&](const Plane& plane) { return dot(*plane.first, axes.z); };
  std::stable_sort(stack.planes.begin(), stack.planes.end(),
                   [&](const Plane& a, const Plane& b) { return along(a) < along(b); });
  std::vector<double> at;
  std::transform(stack.planes.begin(), stack.planes.end(), std::back_inserter(at), along);
  require_distinct(stack.planes, at, where);
  require_upright(stack.planes, axes);
  require_regular(stack.planes, at, where);
  const auto slices = static_cast<std::int64_t>(at.size());
  const auto& spacing = *stack.planes.front().spacing;
  stack.grid = {
      {slices, files.front().rows, files.front().columns},
      {(at.back() - at.front()) / static_cast<double>(slices - 1), spacing[0], spacing[1]},
      to_ras(*stack.planes.front().first),
      {to_ras(axes.z), to_ras(axes.y), to_ras(axes.x)}};
  return stack;
}

}  // namespace hepar::dicom
