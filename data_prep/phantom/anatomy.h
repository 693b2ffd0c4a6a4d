#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "hepar/core/geometry.h"
#include "phantom/patient.h"

namespace hepar::phantom {

/// Smooth random field of unit variance at its lattice points: a periodic lattice of normal
/// numbers, smoothly interpolated.
class LatticeField {
 public:
  explicit LatticeField(RandomStream stream);
  /// Value at a point given in lattice cells.
  [[nodiscard]] double at(double x, double y, double z) const;
  /// Value at a point in mm, `length_mm` being the size of a cell; `offset` picks another part of
  /// the field.
  [[nodiscard]] double at(const WorldMm& point, double length_mm, double offset) const;

 private:
  std::vector<float> values_;
};

struct Ellipsoid {
  WorldMm centre;
  WorldMm radius;
};
struct Tube {
  WorldMm from, to;
  double radius_mm = 0;
};

/// Share of each tissue painted over what lies below it, and whether the point is liver.
struct Mixture {
  std::array<double, kTissues> share{};
  bool liver = false;     ///< inside the liver's surface: parenchyma, vessel or lesion
  double parenchyma = 0;  ///< share that shows the liver's own texture
};

/// One procedural abdomen, in patient space (RAS, mm; the liver's middle near the origin's level).
class Anatomy {
 public:
  Anatomy(const Patient& patient, const PhantomParameters& parameters);

  /// Negative inside, about mm near the surface.
  [[nodiscard]] double liver_distance(const WorldMm& point) const;
  /// Tissues at a point, blended over `softness_mm` at surfaces (partial volume).
  [[nodiscard]] Mixture at(const WorldMm& point, double softness_mm) const;

  [[nodiscard]] double liver_ml() const { return liver_ml_; }
  [[nodiscard]] double contour_mm() const { return contour_mm_; }
  /// Box that holds the liver with a margin: lowest and highest corner.
  [[nodiscard]] const std::array<WorldMm, 2>& liver_box() const { return liver_box_; }
  [[nodiscard]] WorldMm liver_centre() const;
  [[nodiscard]] const LatticeField& lattice() const { return lattice_; }

 private:
  [[nodiscard]] double body_distance(const WorldMm& point) const;
  void draw_body(RandomStream& stream, const AnatomyParameters& parameters);
  void draw_organs(RandomStream& stream);
  void draw_inner(RandomStream& stream, const AnatomyParameters& parameters);
  /// Volume in ml on a coarse grid; also sets liver_box_.
  double measure_liver();
  void paint_organs(const WorldMm& point, double softness_mm, Mixture& mixture) const;
  void paint_liver(const WorldMm& point, double softness_mm, Mixture& mixture) const;

  LatticeField lattice_;
  double shape_mm_, shape_length_mm_, contour_length_mm_, gap_mm_, gap_;
  double contour_mm_ = 0;
  double body_r_ = 0, body_a_ = 0, fat_mm_ = 0, muscle_mm_ = 0;
  double liver_scale_ = 1, liver_ml_ = 0;
  WorldMm liver_middle_;
  Ellipsoid right_lobe_, left_lobe_, caudate_, hilum_;
  Ellipsoid right_lung_, left_lung_, heart_, spleen_, stomach_, right_kidney_, left_kidney_;
  std::vector<Tube> vessels_;
  std::vector<Ellipsoid> lesions_;
  std::array<WorldMm, 2> liver_box_;
};

}  // namespace hepar::phantom
