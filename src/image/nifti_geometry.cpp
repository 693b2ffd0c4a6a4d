#include <nifti2_io.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "hepar/core/error.h"
#include "nifti_header.h"

// NIfTI's world is RAS+ mm, ours too. The fields are checked here in the raw header, because
// niftilib silently repairs what is wrong (nan becomes 0, a long quaternion is normalised, a shear
// is kept); the matrices are then niftilib's, the standard's reference implementation, in double.

namespace hepar::nifti {
namespace {

constexpr double kConflictMm = 0.01;        // qform against sform, at a corner of the volume
constexpr double kSpacingTolerance = 1e-3;  // sform against pixdim, relative
constexpr double kShearTolerance = 1e-3;    // cosine between two axes
// A header stores b, c, d of the unit quaternion as float32. Near half a turn (every LPS image) the
// fourth number, sqrt(1−b²−c²−d²), loses half the digits: 3e-4 rad, 0.1 mm at 300 mm. No program
// can store such a qform better, so one that equals the sform's own quaternion to this is no
// conflict.
constexpr double kQuaternionTolerance = 1e-6;

/// Six digits: the fields are float32.
std::string text(double value) {
  char digits[32];
  std::snprintf(digits, sizeof(digits), "%.6g", value);
  return digits;
}

void check_pixdim(const Header& header, const std::string& where) {
  for (std::size_t i = 1; i <= 3; ++i) {
    const double value = header.pixdim[i];
    require<DataError>(
        std::isfinite(value) && value > 0,
        where + ": pixdim[" + std::to_string(i) + "] = " + text(value) + ", wanted a spacing > 0");
  }
  const double qfac = header.pixdim[0];
  require<DataError>(qfac == 0 || qfac == 1 || qfac == -1 || header.qform_code == 0,
                     where + ": pixdim[0] (qfac) = " + text(qfac) + ", wanted 1, -1 or 0");
}

double unit_factor(const Header& header, const std::string& where,
                   std::vector<std::string>& notes) {
  switch (header.units) {
    case NIFTI_UNITS_UNKNOWN:
    case NIFTI_UNITS_MM:
      return 1;
    case NIFTI_UNITS_METER:
      notes.emplace_back("unit metre, converted to mm");
      return 1e3;
    case NIFTI_UNITS_MICRON:
      notes.emplace_back("unit micrometre, converted to mm");
      return 1e-3;
    default:
      throw DataError(where + ": xyzt_units has space unit " + std::to_string(header.units) +
                      ", wanted 0 (unknown), 1 (m), 2 (mm) or 3 (um)");
  }
}

void check_code(int code, const char* name, const std::string& where) {
  require<DataError>(code >= 0 && code <= 5,
                     where + ": " + name + " = " + std::to_string(code) + ", wanted 0 to 5");
}

void check_qform(const Header& header, const std::string& where) {
  double square = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    require<DataError>(std::isfinite(header.quaternion[i]) && std::isfinite(header.offset[i]),
                       where + ": qform has a number that is not finite");
    square += header.quaternion[i] * header.quaternion[i];
  }
  require<DataError>(square <= 1 + 1e-5, where + ": qform quaternion has b²+c²+d² = " +
                                             text(square) + ", wanted at most 1");
}

double dot(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

std::array<double, 3> column(const nifti_dmat44& m, int j) {
  return {m.m[0][j], m.m[1][j], m.m[2][j]};
}

void check_sform(const Header& header, const std::string& where) {
  std::array<std::array<double, 3>, 3> axis{};
  for (std::size_t j = 0; j < 3; ++j) {
    for (std::size_t i = 0; i < 3; ++i) {
      require<DataError>(std::isfinite(header.srow[i][j]) && std::isfinite(header.srow[i][3]),
                         where + ": sform has a number that is not finite");
      axis[j][i] = header.srow[i][j];
    }
    const double length = std::sqrt(dot(axis[j], axis[j]));
    const double wanted = header.pixdim[j + 1];
    require<DataError>(std::abs(length - wanted) <= kSpacingTolerance * wanted,
                       where + ": sform column " + std::to_string(j + 1) + " has length " +
                           text(length) + ", pixdim[" + std::to_string(j + 1) +
                           "] = " + text(wanted) + ", wanted the same spacing in both");
    for (double& value : axis[j]) {
      value /= length;
    }
  }
  for (std::size_t j = 0; j < 3; ++j) {
    const std::size_t k = (j + 1) % 3;
    const double cosine = dot(axis[j], axis[k]);
    require<DataError>(std::abs(cosine) <= kShearTolerance,
                       where + ": sform is sheared: its columns " + std::to_string(j + 1) +
                           " and " + std::to_string(k + 1) + " have cosine " + text(cosine) +
                           ", wanted right angles; resample the image to a grid without shear");
  }
}

using NiftiImage = std::unique_ptr<nifti_image, decltype(&nifti_image_free)>;

/// niftilib's own view of a header that has passed the raw checks.
NiftiImage convert(const Header& header, const std::string& where) {
  // It prints to stderr from level 1 on; what it would say is in our exceptions.
  static const bool quiet = (nifti_set_debug_level(0), true);
  (void)quiet;
  nifti_image* raw = nullptr;
  if (header.version == 1) {
    nifti_1_header native;
    std::memcpy(&native, header.native.data(), sizeof(native));
    raw = nifti_convert_n1hdr2nim(native, nullptr);
  } else {
    nifti_2_header native;
    std::memcpy(&native, header.native.data(), sizeof(native));
    raw = nifti_convert_n2hdr2nim(native, nullptr);
  }
  require<DataError>(raw != nullptr, where + ": niftilib refuses the header");
  return {raw, &nifti_image_free};
}

Grid grid_of(const nifti_dmat44& affine, const nifti_image& image, double to_mm) {
  Grid grid;
  grid.size = {.z = image.nz, .y = image.ny, .x = image.nx};
  for (int j = 0; j < 3; ++j) {
    const std::array<double, 3> v = column(affine, j);
    const double length = std::sqrt(dot(v, v));
    grid.spacing[2 - j] = length * to_mm;
    grid.axis[static_cast<std::size_t>(2 - j)] = {v[0] / length, v[1] / length, v[2] / length};
  }
  grid.origin = {affine.m[0][3] * to_mm, affine.m[1][3] * to_mm, affine.m[2][3] * to_mm};
  return grid;
}

double corner_distance(const Grid& a, const Grid& b) {
  double largest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double z = (corner & 4) != 0 ? static_cast<double>(a.size.z - 1) : 0.0;
    const double y = (corner & 2) != 0 ? static_cast<double>(a.size.y - 1) : 0.0;
    const double x = (corner & 1) != 0 ? static_cast<double>(a.size.x - 1) : 0.0;
    const WorldMm p = to_world(a, z, y, x);
    const WorldMm q = to_world(b, z, y, x);
    largest = std::max(largest, std::hypot(p.r - q.r, p.a - q.a, p.s - q.s));
  }
  return largest;
}

/// True when the stored qform is what the sform's rotation and spacing become when they are stored
/// as a qform; the quaternion's sign is free.
bool same_quaternion(const Header& header, const nifti_dmat44& sform) {
  std::array<double, 3> q{}, offset{}, spacing{};
  double qfac = 1;
  nifti_dmat44_to_quatern(sform, &q[0], &q[1], &q[2], &offset[0], &offset[1], &offset[2],
                          &spacing[0], &spacing[1], &spacing[2], &qfac);
  double same = 0;
  double opposite = 0;
  double stretch = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    same = std::max(same, std::abs(q[i] - header.quaternion[i]));
    opposite = std::max(opposite, std::abs(q[i] + header.quaternion[i]));
    stretch = std::max(stretch, std::abs(spacing[i] / header.pixdim[i + 1] - 1));
  }
  return std::min(same, opposite) <= kQuaternionTolerance && stretch <= kQuaternionTolerance &&
         (qfac < 0) == (header.pixdim[0] < 0);
}

void check_conflict(const Header& header, const nifti_image& image, const std::string& where,
                    double to_mm) {
  const Grid q = grid_of(image.qto_xyz, image, to_mm);
  const Grid s = grid_of(image.sto_xyz, image, to_mm);
  const double apart = corner_distance(q, s);
  const double origins =
      std::hypot(q.origin.r - s.origin.r, q.origin.a - s.origin.a, q.origin.s - s.origin.s);
  if (apart <= kConflictMm || (origins <= kConflictMm && same_quaternion(header, image.sto_xyz))) {
    return;
  }
  throw DataError(where + ": qform (code " + std::to_string(header.qform_code) +
                  ") and sform (code " + std::to_string(header.sform_code) +
                  ") place a corner of the volume " + text(apart) +
                  " mm apart, wanted at most 0.01 mm; keep the right one of the two");
}

}  // namespace

Grid read_grid(const Header& header, const std::string& where, std::vector<std::string>& notes) {
  check_pixdim(header, where);
  check_code(header.qform_code, "qform_code", where);
  check_code(header.sform_code, "sform_code", where);
  // The standard then gives voxel sizes only, and readers guess differently (nibabel takes x to the
  // left and centres the volume): left and right of a liver must not be a guess.
  require<DataError>(header.qform_code > 0 || header.sform_code > 0,
                     where +
                         ": neither qform nor sform: the file does not say how it lies in the "
                         "patient; set one of them from the scanner's data");
  const double to_mm = unit_factor(header, where, notes);
  if (header.qform_code > 0) {
    check_qform(header, where);
  }
  if (header.sform_code > 0) {
    check_sform(header, where);
  }
  const NiftiImage image = convert(header, where);
  if (header.qform_code > 0 && header.sform_code > 0) {
    check_conflict(header, *image, where, to_mm);
  }
  return grid_of(header.sform_code > 0 ? image->sto_xyz : image->qto_xyz, *image, to_mm);
}

}  // namespace hepar::nifti
