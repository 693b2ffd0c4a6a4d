#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "hepar/image/image.h"
#include "phantom/anatomy.h"

namespace hepar::phantom {

/// How one sequence of one patient is taken: where its grid lies, how the patient has moved, what
/// the scanner adds.
struct Acquisition {
  int sequence = 0;
  Grid grid;
  WorldMm shift;           ///< rigid, mm, against GED4
  double nonrigid_mm = 0;  ///< cranio-caudal, largest, against GED4
  WorldMm nonrigid_centre;
  double distortion_mm = 0;  ///< along the phase direction (DWI)
  std::array<double, 2> distortion_phase{};
  std::array<double, 6> bias{};  ///< coefficients of r, a, s, r², a², r·a
  double noise = 0;              ///< sd, of intensity 1
  double gain = 1;               ///< stored value of intensity 1
  std::array<double, kTissues> intensity{};

  /// Point of the anatomy seen at a point of the scanner.
  [[nodiscard]] WorldMm to_anatomy(const WorldMm& point) const;
  [[nodiscard]] double bias_at(const WorldMm& point) const;
};

Acquisition draw_acquisition(const Patient& patient, const Anatomy& anatomy, int sequence,
                             const PhantomParameters& parameters);

/// Part of a grid that holds the liver with a margin of some voxels.
Grid crop_to_liver(const Acquisition& acquisition, const Anatomy& anatomy);

struct RenderedSequence {
  int sequence = 0;
  Image<std::int16_t> image;
  std::vector<std::uint8_t> mask;  ///< 1 = liver; on the image's grid
};

/// Image and true mask on `acquisition.grid`.
RenderedSequence render(const Patient& patient, const Anatomy& anatomy,
                        const Acquisition& acquisition, const PhantomParameters& parameters);

/// Share of coarse texture and its length at a latent (StageParameters).
struct Texture {
  double share = 0;
  double length_mm = 0;
};
Texture texture_at(double latent, const StageParameters& stage);

}  // namespace hepar::phantom
