#include <algorithm>
#include <cmath>
#include <numbers>

#include "phantom/render.h"

namespace hepar::phantom {

namespace {

// Direction of the stored x, y, z axes: scanners differ, and readers must cope.
constexpr std::array<std::array<double, 3>, kDomains> kAxisSigns{
    {{-1, 1, 1}, {-1, -1, 1}, {1, 1, 1}, {-1, -1, -1}}};
constexpr double kBiasMm = 160;
constexpr WorldMm kNonrigidMm{95, 85, 70};

WorldMm rotated(const WorldMm& v, const WorldMm& axis, double angle) {  // Rodrigues' formula
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  const double along = (axis.r * v.r + axis.a * v.a + axis.s * v.s) * (1 - c);
  return {v.r * c + (axis.a * v.s - axis.s * v.a) * s + axis.r * along,
          v.a * c + (axis.s * v.r - axis.r * v.s) * s + axis.a * along,
          v.s * c + (axis.r * v.a - axis.a * v.r) * s + axis.s * along};
}

WorldMm direction(RandomStream& stream) {
  for (;;) {
    const WorldMm v{stream.uniform(-1, 1), stream.uniform(-1, 1), stream.uniform(-1, 1)};
    const double length = std::sqrt(v.r * v.r + v.a * v.a + v.s * v.s);
    if (length > 0.1 && length < 1) {
      return {v.r / length, v.a / length, v.s / length};
    }
  }
}

SpacingMm draw_spacing(const Patient& patient, int sequence, const PhantomParameters& p) {
  const DomainParameters& domain = p.domains[patient.key.domain];
  RandomStream stream = stream_of(patient.key, Draw::kContrast, 1);  // one protocol per patient
  const double jitter = p.acquisition.spacing_jitter;
  const double through = patient.grid_scale * stream.uniform(1 - jitter, 1 + jitter);
  double in_plane = patient.grid_scale * stream.uniform(1 - jitter, 1 + jitter);
  const double coarser = stream.uniform(p.acquisition.dwi_coarser[0], p.acquisition.dwi_coarser[1]);
  const double thick = sequence == kT2 || sequence == kDwi ? 1.25 : 1.0;
  in_plane *= sequence == kDwi ? coarser : (sequence == kT2 ? 0.9 : 1.0);
  return {domain.spacing_mm[0] * through * thick, domain.spacing_mm[1] * in_plane,
          domain.spacing_mm[2] * in_plane};
}

Grid make_grid(RandomStream& stream, const Patient& patient, int sequence, const WorldMm& centre,
               const PhantomParameters& p) {
  Grid grid;
  grid.spacing = draw_spacing(patient, sequence, p);
  for (int i = 0; i < 3; ++i) {
    grid.size[i] = std::llround(p.acquisition.fov_mm[i] / grid.spacing[i]);
  }
  const WorldMm axis = direction(stream);
  const double angle = stream.uniform(0, p.acquisition.oblique_deg) * std::numbers::pi / 180;
  const auto& sign = kAxisSigns[patient.key.domain];
  grid.axis = {rotated({0, 0, sign[2]}, axis, angle), rotated({0, sign[1], 0}, axis, angle),
               rotated({sign[0], 0, 0}, axis, angle)};
  grid.origin = {};
  const WorldMm middle =
      to_world(grid, static_cast<double>(grid.size.z - 1) / 2,
               static_cast<double>(grid.size.y - 1) / 2, static_cast<double>(grid.size.x - 1) / 2);
  grid.origin = {centre.r - middle.r, centre.a - middle.a, centre.s - middle.s};
  return grid;
}

void draw_motion(RandomStream& stream, const AcquisitionParameters& p, Acquisition& acquisition) {
  const double shift = stream.uniform(p.shift_mm[0], p.shift_mm[1]);
  WorldMm way = direction(stream);
  way.s *= 2;  // breathing: mostly cranio-caudal
  const double length = std::sqrt(way.r * way.r + way.a * way.a + way.s * way.s);
  acquisition.shift = {shift * way.r / length, shift * way.a / length, shift * way.s / length};
  const double sign = stream.chance(0.5) ? 1 : -1;
  acquisition.nonrigid_mm = sign * stream.uniform(p.nonrigid_mm[0], p.nonrigid_mm[1]);
}

}  // namespace

WorldMm Acquisition::to_anatomy(const WorldMm& point) const {
  WorldMm p{point.r - shift.r, point.a - shift.a, point.s - shift.s};
  if (nonrigid_mm != 0) {
    const double r = (p.r - nonrigid_centre.r) / kNonrigidMm.r;
    const double a = (p.a - nonrigid_centre.a) / kNonrigidMm.a;
    const double s = (p.s - nonrigid_centre.s) / kNonrigidMm.s;
    p.s -= nonrigid_mm * std::exp(-(r * r + a * a + s * s));
  }
  if (distortion_mm != 0) {
    p.a -= distortion_mm * std::sin(p.r / 55 + distortion_phase[0]) *
           std::cos(p.s / 50 + distortion_phase[1]);
  }
  return p;
}

double Acquisition::bias_at(const WorldMm& point) const {
  const double r = std::clamp(point.r / kBiasMm, -1.0, 1.0);
  const double a = std::clamp(point.a / kBiasMm, -1.0, 1.0);
  const double s = std::clamp(point.s / kBiasMm, -1.0, 1.0);
  return 1 + bias[0] * r + bias[1] * a + bias[2] * s + bias[3] * r * r + bias[4] * a * a +
         bias[5] * r * a;
}

Acquisition draw_acquisition(const Patient& patient, const Anatomy& anatomy, int sequence,
                             const PhantomParameters& p) {
  const DomainParameters& domain = p.domains[patient.key.domain];
  RandomStream stream = stream_of(patient.key, Draw::kAcquisition, sequence);
  Acquisition acquisition;
  acquisition.sequence = sequence;
  if (sequence != kGed4) {
    draw_motion(stream, p.acquisition, acquisition);
  }
  const WorldMm liver = anatomy.liver_centre();
  acquisition.nonrigid_centre = {liver.r + stream.uniform(-20, 20),
                                 liver.a + stream.uniform(-20, 20),
                                 liver.s + stream.uniform(-20, 20)};
  const WorldMm centre{
      stream.uniform(-4, 4), stream.uniform(-4, 4),
      liver.s + acquisition.shift.s + acquisition.nonrigid_mm / 2 + stream.uniform(-4, 4)};
  acquisition.grid = make_grid(stream, patient, sequence, centre, p);
  if (sequence == kDwi) {
    acquisition.distortion_mm = p.acquisition.dwi_distortion_mm * stream.uniform(0.4, 1);
    acquisition.distortion_phase = {stream.uniform(0, 6.28), stream.uniform(0, 6.28)};
  }
  double total = 0;
  for (double& coefficient : acquisition.bias) {
    coefficient = stream.uniform(-1, 1);
    total += std::abs(coefficient);
  }
  for (double& coefficient : acquisition.bias) {
    coefficient *= domain.bias / total;
  }
  acquisition.noise = domain.noise * (sequence == kDwi ? p.acquisition.dwi_noise : 1);
  acquisition.gain = domain.gain * stream.uniform(0.85, 1.15);
  RandomStream contrast = stream_of(patient.key, Draw::kContrast, 2 + sequence);
  for (int tissue = 0; tissue < kTissues; ++tissue) {
    acquisition.intensity[tissue] = std::pow(p.contrast.table[sequence][tissue], domain.gamma) *
                                    (1 + p.contrast.patient_sd * contrast.normal());
  }
  return acquisition;
}

Grid crop_to_liver(const Acquisition& acquisition, const Anatomy& anatomy) {
  constexpr std::int64_t kMarginVox = 3;
  const Grid& grid = acquisition.grid;
  const auto& box = anatomy.liver_box();
  std::array<double, 3> low{1e9, 1e9, 1e9};
  std::array<double, 3> high{-1e9, -1e9, -1e9};
  for (int corner = 0; corner < 8; ++corner) {
    const WorldMm p{box[corner & 1].r + acquisition.shift.r - grid.origin.r,
                    box[(corner >> 1) & 1].a + acquisition.shift.a - grid.origin.a,
                    box[(corner >> 2) & 1].s + acquisition.shift.s - grid.origin.s};
    for (int i = 0; i < 3; ++i) {
      const WorldMm& axis = grid.axis[i];
      const double index = (p.r * axis.r + p.a * axis.a + p.s * axis.s) / grid.spacing[i];
      low[i] = std::min(low[i], index);
      high[i] = std::max(high[i], index);
    }
  }
  Grid crop = grid;
  SizeVox start;
  for (int i = 0; i < 3; ++i) {
    start[i] = std::clamp<std::int64_t>(std::llround(low[i]) - kMarginVox, 0, grid.size[i] - 1);
    const auto end =
        std::clamp<std::int64_t>(std::llround(high[i]) + kMarginVox, start[i] + 1, grid.size[i]);
    crop.size[i] = end - start[i];
  }
  crop.origin = to_world(grid, static_cast<double>(start.z), static_cast<double>(start.y),
                         static_cast<double>(start.x));
  return crop;
}

}  // namespace hepar::phantom
