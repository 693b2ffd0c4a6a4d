#include "phantom/anatomy.h"

#include <algorithm>
#include <cmath>

namespace hepar::phantom {

namespace {

constexpr int kLattice = 32;
constexpr double kFarMm = 60;

WorldMm operator-(const WorldMm& p, const WorldMm& q) { return {p.r - q.r, p.a - q.a, p.s - q.s}; }
double dot(const WorldMm& p, const WorldMm& q) { return p.r * q.r + p.a * q.a + p.s * q.s; }

// First-order distance to an ellipsoid's surface (exact for a sphere): k0 (k0 − 1) / k1.
double distance(const Ellipsoid& e, const WorldMm& point) {
  const WorldMm d = point - e.centre;
  const WorldMm q{d.r / e.radius.r, d.a / e.radius.a, d.s / e.radius.s};
  const double square = dot(q, q);
  if (square > 6.25) {
    return kFarMm;
  }
  const WorldMm g{q.r / e.radius.r, q.a / e.radius.a, q.s / e.radius.s};
  const double slope = std::sqrt(dot(g, g));
  const double k = std::sqrt(square);
  return slope < 1e-9 ? -std::min({e.radius.r, e.radius.a, e.radius.s}) : k * (k - 1) / slope;
}

double distance(const Tube& tube, const WorldMm& point) {
  const WorldMm along = tube.to - tube.from;
  const WorldMm d = point - tube.from;
  const double t = std::clamp(dot(d, along) / dot(along, along), 0.0, 1.0);
  const WorldMm off{d.r - t * along.r, d.a - t * along.a, d.s - t * along.s};
  return std::sqrt(dot(off, off)) - tube.radius_mm;
}

double smooth_min(double a, double b, double k) {
  const double h = std::max(k - std::abs(a - b), 0.0) / k;
  return std::min(a, b) - h * h * k / 4;
}
double smooth_max(double a, double b, double k) { return -smooth_min(-a, -b, k); }

// Share of what lies inside a surface at this distance from it.
double inside(double distance_mm, double softness_mm) {
  const double t = std::clamp(0.5 - distance_mm / (2 * softness_mm), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

void paint(Mixture& mixture, Tissue tissue, double share) {
  if (share <= 0) {
    return;
  }
  for (double& other : mixture.share) {
    other *= 1 - share;
  }
  mixture.share[static_cast<std::size_t>(tissue)] += share;
}

WorldMm jitter(RandomStream& stream, const WorldMm& point, double mm) {
  return {point.r + stream.uniform(-mm, mm), point.a + stream.uniform(-mm, mm),
          point.s + stream.uniform(-mm, mm)};
}
WorldMm sized(RandomStream& stream, const WorldMm& radius, double factor) {
  return {radius.r * factor * stream.uniform(0.92, 1.08),
          radius.a * factor * stream.uniform(0.92, 1.08),
          radius.s * factor * stream.uniform(0.92, 1.08)};
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

}  // namespace

LatticeField::LatticeField(RandomStream stream) : values_(kLattice * kLattice * kLattice) {
  for (float& value : values_) {
    value = static_cast<float>(stream.normal());
  }
}

double LatticeField::at(double x, double y, double z) const {
  const auto cell = [](double v, double& t) {
    const double floor = std::floor(v);
    t = v - floor;
    t = t * t * (3 - 2 * t);
    return static_cast<std::int64_t>(floor) & (kLattice - 1);
  };
  double tx, ty, tz;
  const std::int64_t x0 = cell(x, tx), y0 = cell(y, ty), z0 = cell(z, tz);
  const std::int64_t x1 = (x0 + 1) & (kLattice - 1), y1 = (y0 + 1) & (kLattice - 1),
                     z1 = (z0 + 1) & (kLattice - 1);
  const auto row = [&](std::int64_t zi, std::int64_t yi) {
    const float* values = values_.data() + (zi * kLattice + yi) * kLattice;
    const double left = static_cast<double>(values[x0]);
    return left + tx * (static_cast<double>(values[x1]) - left);
  };
  const double low = row(z0, y0) + ty * (row(z0, y1) - row(z0, y0));
  const double high = row(z1, y0) + ty * (row(z1, y1) - row(z1, y0));
  return low + tz * (high - low);
}

double LatticeField::at(const WorldMm& point, double length_mm, double offset) const {
  return at(point.r / length_mm + offset, point.a / length_mm + 1.7 * offset,
            point.s / length_mm + 2.3 * offset);
}

Anatomy::Anatomy(const Patient& patient, const PhantomParameters& parameters)
    : lattice_(stream_of(patient.key, Draw::kLattice)),
      shape_mm_(parameters.anatomy.shape_mm),
      shape_length_mm_(parameters.anatomy.shape_length_mm),
      contour_length_mm_(parameters.stage.contour_length_mm),
      gap_mm_(parameters.anatomy.gap_mm),
      gap_(parameters.anatomy.gap) {
  const StageParameters& stage = parameters.stage;
  contour_mm_ = stage.contour_mm * normal_cdf((patient.latents.contour - stage.centre) /
                                              std::hypot(1, stage.contour_noise));
  RandomStream stream = stream_of(patient.key, Draw::kAnatomy);
  const double wanted_ml =
      stream.uniform(parameters.anatomy.liver_ml[0], parameters.anatomy.liver_ml[1]);
  liver_scale_ = std::cbrt(wanted_ml / 1500);
  draw_body(stream, parameters.anatomy);
  draw_organs(stream);
  for (int round = 0; round < 3; ++round) {
    liver_ml_ = measure_liver();
    liver_scale_ *= std::cbrt(wanted_ml / liver_ml_);
  }
  liver_ml_ = measure_liver();
  draw_inner(stream, parameters.anatomy);
}

void Anatomy::draw_body(RandomStream& stream, const AnatomyParameters& parameters) {
  // Larger livers come in larger bodies; otherwise the wall would cut them.
  const double size = std::sqrt(liver_scale_);
  fat_mm_ = stream.uniform(parameters.fat_mm[0], parameters.fat_mm[1]);
  muscle_mm_ = stream.uniform(parameters.muscle_mm[0], parameters.muscle_mm[1]);
  body_r_ = std::min(172.0, size * stream.uniform(128, 136) + fat_mm_ + muscle_mm_);
  body_a_ = std::min(140.0, size * stream.uniform(88, 96) + fat_mm_ + muscle_mm_);
}

void Anatomy::draw_organs(RandomStream& stream) {
  const double size = std::sqrt(liver_scale_);
  const auto organ = [&](WorldMm centre, WorldMm radius) {
    centre = {centre.r * size, centre.a * size, centre.s * size};
    return Ellipsoid{jitter(stream, centre, 5), sized(stream, radius, size)};
  };
  liver_middle_ = jitter(stream, {52 * size, 4, 0}, 5);
  // Lobes are placed relative to the liver's middle and grow with liver_scale_.
  right_lobe_ = {jitter(stream, {18, -6, -4}, 3), sized(stream, {64, 74, 76}, 1)};
  left_lobe_ = {jitter(stream, {-62, 34, 24}, 4), sized(stream, {72, 34, 34}, 1)};
  caudate_ = {jitter(stream, {-26, -4, 14}, 3), sized(stream, {26, 24, 30}, 1)};
  hilum_ = {jitter(stream, {-22, 8, -48}, 4), sized(stream, {30, 34, 40}, 1)};
  right_lung_ = organ({70, -10, 100}, {74, 88, 92});
  left_lung_ = organ({-80, -18, 92}, {62, 80, 86});
  heart_ = organ({-22, 40, 88}, {50, 44, 44});
  spleen_ = organ({-96, -30, 18}, {30, 46, 54});
  stomach_ = organ({-62, 22, -12}, {34, 32, 46});
  right_kidney_ = organ({52, -50, -62}, {27, 25, 50});
  left_kidney_ = organ({-60, -52, -50}, {27, 25, 50});
}

void Anatomy::draw_inner(RandomStream& stream, const AnatomyParameters& parameters) {
  const auto place = [&](WorldMm local) {
    return WorldMm{liver_middle_.r + liver_scale_ * local.r,
                   liver_middle_.a + liver_scale_ * local.a,
                   liver_middle_.s + liver_scale_ * local.s};
  };
  const WorldMm porta = place(jitter(stream, {-18, 4, -12}, 4));
  for (const WorldMm& end : {WorldMm{50, -20, -25}, WorldMm{40, 30, -10}, WorldMm{45, -5, 25},
                             WorldMm{-75, 36, 18}, WorldMm{-35, 40, 10}}) {
    vessels_.push_back({porta, place(jitter(stream, end, 10)), stream.uniform(3.5, 5.5)});
  }
  const WorldMm cava = place(jitter(stream, {-20, -24, 48}, 4));
  for (const WorldMm& end : {WorldMm{55, -15, 20}, WorldMm{20, 35, 15}, WorldMm{-60, 34, 28}}) {
    vessels_.push_back({cava, place(jitter(stream, end, 10)), stream.uniform(3.0, 5.0)});
  }
  const std::int64_t lesions = stream.integer(parameters.max_lesions + 1);
  for (std::int64_t i = 0; i < lesions; ++i) {
    const WorldMm at =
        place({stream.uniform(-30, 65), stream.uniform(-45, 45), stream.uniform(-50, 45)});
    const double radius = stream.uniform(5, 16);
    lesions_.push_back({at, sized(stream, {radius, radius, radius}, 1)});
  }
}

double Anatomy::body_distance(const WorldMm& p) const {
  const double r = p.r / body_r_;
  const double a = p.a / body_a_;
  const double k = std::sqrt(r * r + a * a);
  const double slope = std::hypot(r / body_r_, a / body_a_);
  return slope < 1e-9 ? -body_a_ : k * (k - 1) / slope;
}

double Anatomy::liver_distance(const WorldMm& point) const {
  const WorldMm q{(point.r - liver_middle_.r) / liver_scale_,
                  (point.a - liver_middle_.a) / liver_scale_,
                  (point.s - liver_middle_.s) / liver_scale_};
  double d = smooth_min(distance(right_lobe_, q), distance(left_lobe_, q), 26);
  d = smooth_min(d, distance(caudate_, q), 14);
  d = smooth_max(d, -distance(hilum_, q), 12);
  d *= liver_scale_;
  if (d > 25) {
    return d;
  }
  d += shape_mm_ * lattice_.at(point, shape_length_mm_, 3.3);
  d += contour_mm_ * lattice_.at(point, contour_length_mm_, 11.1);
  // The body wall and the right kidney press into the liver.
  d = smooth_max(d, body_distance(point) + fat_mm_ + muscle_mm_ + 0.5, 10);
  return smooth_max(d, -distance(right_kidney_, point), 6);
}

double Anatomy::measure_liver() {
  constexpr double kStepMm = 9;
  std::int64_t voxels = 0;
  liver_box_ = {WorldMm{1e9, 1e9, 1e9}, WorldMm{-1e9, -1e9, -1e9}};
  for (double s = -132; s <= 132; s += kStepMm) {
    for (double a = -132; a <= 132; a += kStepMm) {
      for (double r = -120; r <= 162; r += kStepMm) {
        if (liver_distance({r, a, s}) < 0) {
          ++voxels;
          liver_box_[0] = {std::min(liver_box_[0].r, r), std::min(liver_box_[0].a, a),
                           std::min(liver_box_[0].s, s)};
          liver_box_[1] = {std::max(liver_box_[1].r, r), std::max(liver_box_[1].a, a),
                           std::max(liver_box_[1].s, s)};
        }
      }
    }
  }
  liver_box_[0] = liver_box_[0] - WorldMm{kStepMm, kStepMm, kStepMm};
  liver_box_[1] = liver_box_[1] - WorldMm{-kStepMm, -kStepMm, -kStepMm};
  return static_cast<double>(voxels) * kStepMm * kStepMm * kStepMm / 1000;
}

WorldMm Anatomy::liver_centre() const {
  return {(liver_box_[0].r + liver_box_[1].r) / 2, (liver_box_[0].a + liver_box_[1].a) / 2,
          (liver_box_[0].s + liver_box_[1].s) / 2};
}

Mixture Anatomy::at(const WorldMm& point, double h) const {
  Mixture mixture;
  mixture.share[static_cast<std::size_t>(Tissue::kAir)] = 1;
  const double body = body_distance(point);
  if (body > h) {
    return mixture;
  }
  paint(mixture, Tissue::kFat, inside(body, h));
  if (body + fat_mm_ < h) {
    paint(mixture, Tissue::kMuscle, inside(body + fat_mm_, h));
    paint(mixture, Tissue::kBowel, inside(body + fat_mm_ + muscle_mm_, h));
    paint_organs(point, h, mixture);
    paint_liver(point, h, mixture);
  }
  return mixture;
}

void Anatomy::paint_organs(const WorldMm& p, double h, Mixture& mixture) const {
  const double in_wall = inside(body_distance(p) + fat_mm_ + muscle_mm_, h);
  const double lungs = std::min(distance(right_lung_, p), distance(left_lung_, p));
  paint(mixture, Tissue::kLung, in_wall * inside(lungs, h));
  const double back = -body_a_ + fat_mm_;  // the spine leans on the back wall
  const double spine = std::hypot(p.r, p.a - back - 36) - 21;
  const double erector = std::min(distance(Ellipsoid{{34, back + 22, p.s}, {27, 19, 100}}, p),
                                  distance(Ellipsoid{{-34, back + 22, p.s}, {27, 19, 100}}, p));
  paint(mixture, Tissue::kMuscle, inside(erector, h));
  paint(mixture, Tissue::kBone, inside(spine, h));
  const double aorta = std::hypot(p.r + 9, p.a - back - 68) - 10.5;
  const double cava = std::hypot(p.r - 20, p.a - back - 66) - 11.5;
  paint(mixture, Tissue::kVessel, inside(std::min(aorta, cava), h));
  paint(mixture, Tissue::kStomach, in_wall * inside(distance(stomach_, p), h));
  paint(mixture, Tissue::kKidney,
        in_wall * inside(std::min(distance(right_kidney_, p), distance(left_kidney_, p)), h));
  paint(mixture, Tissue::kSpleen, in_wall * inside(distance(spleen_, p), h));
  paint(mixture, Tissue::kHeart, in_wall * inside(distance(heart_, p), h));
}

void Anatomy::paint_liver(const WorldMm& p, double h, Mixture& mixture) const {
  const double d = liver_distance(p);
  if (d > gap_mm_ + h) {
    return;
  }
  const double open = std::clamp(0.5 + 0.7 * lattice_.at(p, 28, 21.7), 0.0, 1.0);
  const double lung = mixture.share[static_cast<std::size_t>(Tissue::kLung)];
  paint(mixture, Tissue::kFat, gap_ * open * (1 - lung) * inside(d - gap_mm_, h));
  const double liver = inside(d, h);
  paint(mixture, Tissue::kLiver, liver);
  mixture.liver = d < 0;
  mixture.parenchyma = liver;
  if (d > -2) {
    return;
  }
  double vessel = kFarMm;
  for (const Tube& tube : vessels_) {
    vessel = std::min(vessel, distance(tube, p));
  }
  double lesion = kFarMm;
  for (const Ellipsoid& ellipsoid : lesions_) {
    lesion = std::min(lesion, distance(ellipsoid, p));
  }
  paint(mixture, Tissue::kVessel, inside(vessel, h));
  paint(mixture, Tissue::kLesion, inside(lesion, h));
  mixture.parenchyma = liver * (1 - inside(vessel, h)) * (1 - inside(lesion, h));
}

}  // namespace hepar::phantom
