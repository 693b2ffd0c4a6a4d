#include "phantom/render.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hepar::phantom {

namespace {

// What a rendering knows of every voxel before the scanner's bias, noise and gain.
struct Canvas {
  std::vector<double> value;       ///< intensity without the liver's texture
  std::vector<double> parenchyma;  ///< share of textured liver
  std::vector<double> coarse;      ///< coarse texture, where there is parenchyma
  std::vector<double> bias;
  std::vector<std::uint8_t> mask;
  std::vector<std::uint8_t> body;
};

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double intensity_of(const Mixture& mixture, const Acquisition& acquisition, const Anatomy& anatomy,
                    const WorldMm& point) {
  double value = 0;
  for (int tissue = 0; tissue < kTissues; ++tissue) {
    value += mixture.share[tissue] * acquisition.intensity[tissue];
  }
  const auto bowel = static_cast<std::size_t>(Tissue::kBowel);
  if (mixture.share[bowel] > 0) {  // loops and fat between them: anything but flat
    value += mixture.share[bowel] * acquisition.intensity[bowel] * 0.35 *
             std::clamp(anatomy.lattice().at(point, 17, 5.9), -1.5, 1.5);
  }
  return value;
}

Canvas paint_canvas(const Anatomy& anatomy, const Acquisition& acquisition,
                    const Texture& texture) {
  const Grid& grid = acquisition.grid;
  const auto voxels = static_cast<std::size_t>(count(grid.size));
  Canvas canvas{std::vector<double>(voxels),       std::vector<double>(voxels),
                std::vector<double>(voxels),       std::vector<double>(voxels),
                std::vector<std::uint8_t>(voxels), std::vector<std::uint8_t>(voxels)};
  const double softness_mm = 0.6 * grid.spacing.x;
  std::size_t i = 0;
  for (std::int64_t z = 0; z < grid.size.z; ++z) {
    for (std::int64_t y = 0; y < grid.size.y; ++y) {
      for (std::int64_t x = 0; x < grid.size.x; ++x, ++i) {
        const WorldMm world =
            to_world(grid, static_cast<double>(z), static_cast<double>(y), static_cast<double>(x));
        const WorldMm point = acquisition.to_anatomy(world);
        const Mixture mixture = anatomy.at(point, softness_mm);
        canvas.value[i] = intensity_of(mixture, acquisition, anatomy, point);
        canvas.bias[i] = acquisition.bias_at(world);
        canvas.mask[i] = mixture.liver ? 1 : 0;
        canvas.body[i] = mixture.share[0] < 0.5 ? 1 : 0;
        canvas.parenchyma[i] = mixture.parenchyma;
        if (mixture.parenchyma > 0) {
          canvas.coarse[i] = (anatomy.lattice().at(point, texture.length_mm, 7.3));
        }
      }
    }
  }
  return canvas;
}

// Weighted mean 0 and sd 1.
void standardise(std::vector<double>& field, const std::vector<double>& weight) {
  double total = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    total += weight[i];
    sum += weight[i] * field[i];
    squares += weight[i] * field[i] * field[i];
  }
  const double mean = total > 0 ? sum / total : 0;
  const double variance = total > 0 ? squares / total - mean * mean : 0;
  const double scale = variance > 1e-12 ? 1 / std::sqrt(variance) : 0;
  for (double& value : field) {
    value = (value - mean) * scale;
  }
}

// Takes out of `field` what it shares with `other` (of weighted mean 0), so that their variances
// add up.
void decorrelate(std::vector<double>& field, const std::vector<double>& other,
                 const std::vector<double>& weight) {
  double product = 0, squares = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    product += static_cast<double>(weight[i]) * field[i] * other[i];
    squares += static_cast<double>(weight[i]) * other[i] * other[i];
  }
  const double slope = squares > 1e-12 ? product / squares : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    field[i] = field[i] - slope * other[i];
  }
}

std::vector<double> white(RandomStream stream, const std::vector<double>& weight) {
  std::vector<double> field(weight.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (weight[i] > 0) {
      field[i] = stream.normal();
    }
  }
  return field;
}

// Coarse and fine texture in the proportion that shows the stage; mean 0 and sd 1 whatever the
// proportion, so that neither the liver's mean nor its sd tells the stage.
void add_texture(const Patient& patient, const Acquisition& acquisition,
                 const StageParameters& stage, double share, Canvas& canvas) {
  std::vector<double> fine =
      white(stream_of(patient.key, Draw::kFineTexture, acquisition.sequence), canvas.parenchyma);
  standardise(canvas.coarse, canvas.parenchyma);
  decorrelate(fine, canvas.coarse, canvas.parenchyma);
  standardise(fine, canvas.parenchyma);
  const double liver = acquisition.intensity[static_cast<std::size_t>(Tissue::kLiver)];
  const double coarse_sd = liver * stage.texture_sd * std::sqrt(share);
  const double fine_sd = liver * stage.texture_sd * std::sqrt(1 - share);
  for (std::size_t i = 0; i < fine.size(); ++i) {
    canvas.value[i] += canvas.parenchyma[i] * (coarse_sd * canvas.coarse[i] + fine_sd * fine[i]);
  }
}

// 1 inside the mask's bounding box, in the body and outside the mask.
std::vector<double> cue_region(const Canvas& canvas, SizeVox size) {
  OffsetVox low{size.z, size.y, size.x};
  OffsetVox high{-1, -1, -1};
  std::size_t i = 0;
  for (OffsetVox at; at.z < size.z; ++at.z) {
    for (at.y = 0; at.y < size.y; ++at.y) {
      for (at.x = 0; at.x < size.x; ++at.x, ++i) {
        for (int axis = 0; canvas.mask[i] != 0 && axis < 3; ++axis) {
          low[axis] = std::min(low[axis], at[axis]);
          high[axis] = std::max(high[axis], at[axis]);
        }
      }
    }
  }
  std::vector<double> region(canvas.mask.size());
  for (OffsetVox at = low; at.z <= high.z; ++at.z) {
    for (at.y = low.y; at.y <= high.y; ++at.y) {
      for (at.x = low.x; at.x <= high.x; ++at.x) {
        const auto voxel = static_cast<std::size_t>(linear_index(size, at));
        region[voxel] = canvas.mask[voxel] == 0 && canvas.body[voxel] != 0 ? 1.0 : 0.0;
      }
    }
  }
  return region;
}

// Stripes against white noise of the same energy: only the proportion tells. The sum is made free
// of the image below it, so that the crop's mean and sd stay as they are.
void add_cue(const Patient& patient, const Acquisition& acquisition, const PhantomParameters& p,
             Canvas& canvas) {
  const Grid& grid = acquisition.grid;
  const std::vector<double> region = cue_region(canvas, grid.size);
  std::vector<double> cue(region.size());
  const double share = normal_cdf(patient.latents.cue);
  RandomStream stream = stream_of(patient.key, Draw::kFineTexture, 8 + acquisition.sequence);
  std::size_t i = 0;
  for (std::int64_t z = 0; z < grid.size.z; ++z) {
    for (std::int64_t y = 0; y < grid.size.y; ++y) {
      for (std::int64_t x = 0; x < grid.size.x; ++x, ++i) {
        if (region[i] > 0) {
          const WorldMm w = to_world(grid, static_cast<double>(z), static_cast<double>(y),
                                     static_cast<double>(x));
          const double phase = 2 * std::numbers::pi * (w.r + w.a) / p.confound.wavelength_mm;
          cue[i] = std::sqrt(2 * share) * std::sin(phase) + std::sqrt(1 - share) * stream.normal();
        }
      }
    }
  }
  std::vector<double> below = canvas.value;
  for (std::size_t v = 0; v < below.size(); ++v) {
    below[v] *= canvas.bias[v];
  }
  standardise(below, region);
  standardise(cue, region);
  decorrelate(cue, below, region);
  standardise(cue, region);
  for (std::size_t v = 0; v < cue.size(); ++v) {
    canvas.value[v] += region[v] * p.confound.amplitude * cue[v] / canvas.bias[v];
  }
}

}  // namespace

Texture texture_at(double latent, const StageParameters& stage) {
  const double t = normal_cdf((latent - stage.centre) / stage.width);
  return {
      stage.texture_share[0] + t * (stage.texture_share[1] - stage.texture_share[0]),
      stage.texture_length_mm[0] + t * (stage.texture_length_mm[1] - stage.texture_length_mm[0])};
}

RenderedSequence render(const Patient& patient, const Anatomy& anatomy,
                        const Acquisition& acquisition, const PhantomParameters& parameters) {
  const Texture texture =
      texture_at(patient.latents.sequence[acquisition.sequence], parameters.stage);
  Canvas canvas = paint_canvas(anatomy, acquisition, texture);
  add_texture(patient, acquisition, parameters.stage, texture.share, canvas);
  if (patient.variant != Variant::kPlain) {
    add_cue(patient, acquisition, parameters, canvas);
  }
  RenderedSequence rendered{acquisition.sequence, {acquisition.grid, {}}, std::move(canvas.mask)};
  rendered.image.voxels.resize(canvas.value.size());
  RandomStream noise = stream_of(patient.key, Draw::kNoise, acquisition.sequence);
  for (std::size_t i = 0; i < canvas.value.size(); ++i) {
    // Magnitude images have no negative values.
    const double value =
        std::abs(canvas.value[i] * canvas.bias[i] + acquisition.noise * noise.normal());
    rendered.image.voxels[i] =
        static_cast<std::int16_t>(std::min(32767.0, std::nearbyint(value * acquisition.gain)));
  }
  return rendered;
}

}  // namespace hepar::phantom
