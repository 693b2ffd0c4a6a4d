// bench_image [--turns=N] [--benchmark_…]: resampling a case of 40x256x256 to the spacing of a
// plan, and to cubic voxels, with one thread, beside compositions of ATen's and ITK's operators and
// plain loops.
#include <ATen/ATen.h>
#include <itkBSplineInterpolateImageFunction.h>
#include <itkImage.h>
#include <itkResampleImageFilter.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hepar/core/random.h"
#include "hepar/image/preprocess.h"
#include "hepar/image/regrid.h"
#include "hepar/image/resample.h"
#include "in_turns.h"

namespace hepar::bench {
namespace {

using Voxels = std::vector<float>;

constexpr SizeVox kSize{40, 256, 256};
constexpr SizeVox kTarget{48, 230, 230};
const Resampling kResampling{.from = kSize, .to = kTarget, .separate_axis = {}, .threads = 1};

/// Smooth structures with noise, and labels 0, 1, 2 from them.
struct Case {
  Case() {
    image.grid.size = labels.grid.size = kSize;
    image.grid.spacing = labels.grid.spacing = {3, 1.3, 1.3};
    RandomStream random({.seed = 1, .purpose = Purpose::kTest});
    for (std::int64_t z = 0; z < kSize.z; ++z) {
      for (std::int64_t y = 0; y < kSize.y; ++y) {
        for (std::int64_t x = 0; x < kSize.x; ++x) {
          const double wave = std::sin(0.2 * static_cast<double>(z)) +
                              std::sin(0.05 * static_cast<double>(y)) +
                              std::cos(0.07 * static_cast<double>(x));
          image.voxels.push_back(static_cast<float>(300 + 100 * wave + random.uniform(-20, 20)));
          labels.voxels.push_back(wave > 2 ? 2 : (wave > 1 ? 1 : 0));
        }
      }
    }
  }

  Image<float> image;
  LabelImage labels;
};

/// Largest difference over the range of `b`, of voxels at least `margin` from the border.
double distance(const Voxels& a, const Voxels& b, SizeVox size, std::int64_t margin = 0) {
  const auto [low, high] = std::minmax_element(b.begin(), b.end());
  double largest = 0;
  for (std::int64_t z = margin; z < size.z - margin; ++z) {
    for (std::int64_t y = margin; y < size.y - margin; ++y) {
      for (std::int64_t x = margin; x < size.x - margin; ++x) {
        const auto i = static_cast<std::size_t>(linear_index(size, {z, y, x}));
        largest =
            std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
      }
    }
  }
  return largest / static_cast<double>(*high - *low);
}

// --- Resampling ----------------------------------------------------------------------------------

Voxels resampled(const Case& in,
                 void (*resample)(std::span<const float>, std::span<float>, const Resampling&)) {
  Voxels out(static_cast<std::size_t>(count(kTarget)));
  resample(in.image.voxels, out, kResampling);
  return out;
}

at::Tensor trilinear(const at::Tensor& volume) {
  return at::upsample_trilinear3d(volume, {kTarget.z, kTarget.y, kTarget.x},
                                  /*align_corners=*/false);
}

at::Tensor borrowed(const Voxels& voxels) {
  return at::from_blob(const_cast<float*>(voxels.data()), {1, 1, kSize.z, kSize.y, kSize.x});
}

Voxels linear_by_aten(const Case& in) {
  const at::Tensor out = trilinear(borrowed(in.image.voxels)).contiguous();
  return {out.const_data_ptr<float>(), out.const_data_ptr<float>() + out.numel()};
}

/// ITK's B-spline of order 3 on the same half-pixel-centred coordinates.
Voxels cubic_by_itk(const Case& in) {
  using Volume = itk::Image<float, 3>;
  const auto input = Volume::New();
  input->SetRegions(Volume::SizeType{{kSize.x, kSize.y, kSize.z}});
  input->Allocate();
  std::copy(in.image.voxels.begin(), in.image.voxels.end(), input->GetBufferPointer());
  const auto filter = itk::ResampleImageFilter<Volume, Volume>::New();
  const auto spline = itk::BSplineInterpolateImageFunction<Volume>::New();
  spline->SetSplineOrder(3);
  filter->SetInput(input);
  filter->SetInterpolator(spline);
  filter->SetNumberOfWorkUnits(1);
  filter->UseReferenceImageOff();
  Volume::SpacingType step;
  Volume::PointType origin;
  for (unsigned i = 0; i < 3; ++i) {
    const int axis = 2 - static_cast<int>(i);
    step[i] = static_cast<double>(kSize[axis]) / static_cast<double>(kTarget[axis]);
    origin[i] = 0.5 * step[i] - 0.5;
  }
  filter->SetOutputSpacing(step);
  filter->SetOutputOrigin(origin);
  filter->SetSize({{kTarget.x, kTarget.y, kTarget.z}});
  filter->Update();
  const float* voxels = filter->GetOutput()->GetBufferPointer();
  Voxels out(voxels, voxels + count(kTarget));
  const auto [low, high] = std::minmax_element(in.image.voxels.begin(), in.image.voxels.end());
  for (float& value : out) {
    value = std::clamp(value, *low, *high);  // resample_cubic() does so too
  }
  return out;
}

using Labels = std::vector<std::int16_t>;

Labels labels_by_hepar(const Case& in) {
  Labels out(static_cast<std::size_t>(count(kTarget)));
  resample_labels(in.labels.voxels, out, kResampling);
  return out;
}

Labels labels_by_aten(const Case& in) {
  const at::Tensor labels =
      at::from_blob(const_cast<std::int16_t*>(in.labels.voxels.data()),
                    {1, 1, kSize.z, kSize.y, kSize.x}, at::TensorOptions().dtype(at::kShort));
  at::Tensor out = at::zeros({1, 1, kTarget.z, kTarget.y, kTarget.x}, at::kShort);
  for (const std::int16_t label : {1, 2}) {
    out.masked_fill_(trilinear(labels.eq(label).to(at::kFloat)).ge(0.5), label);
  }
  return {out.const_data_ptr<std::int16_t>(), out.const_data_ptr<std::int16_t>() + out.numel()};
}

/// Share of voxels in which two label maps differ: at 0.5 a rounding decides.
double distance(const Labels& a, const Labels& b) {
  double different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    different += a[i] != b[i] ? 1 : 0;
  }
  return different / static_cast<double>(a.size());
}

// --- Cubic voxels --------------------------------------------------------------------------------

/// Trilinear, voxel by voxel, for grids with the same axes and origin; 0 beyond the last centre.
Image<float> regrid_by_loops(const Image<float>& image, const Grid& target) {
  Image<float> out{target, Voxels(static_cast<std::size_t>(count(target.size)))};
  const SizeVox from = image.grid.size;
  std::size_t index = 0;
  for (std::int64_t z = 0; z < target.size.z; ++z) {
    for (std::int64_t y = 0; y < target.size.y; ++y) {
      for (std::int64_t x = 0; x < target.size.x; ++x, ++index) {
        const OffsetVox at{z, y, x};
        OffsetVox low;
        std::array<double, 3> part{};
        bool inside = true;
        for (int axis = 0; axis < 3; ++axis) {
          const double place =
              static_cast<double>(at[axis]) * target.spacing[axis] / image.grid.spacing[axis];
          low[axis] = std::min(static_cast<std::int64_t>(place), from[axis] - 2);
          part[static_cast<std::size_t>(axis)] = place - static_cast<double>(low[axis]);
          inside = inside && place <= static_cast<double>(from[axis] - 1);
        }
        double sum = 0;
        for (int corner = 0; inside && corner < 8; ++corner) {
          double weight = 1;
          OffsetVox there = low;
          for (int axis = 0; axis < 3; ++axis) {
            const bool upper = (corner >> axis & 1) != 0;
            there[axis] += upper ? 1 : 0;
            const double p = part[static_cast<std::size_t>(axis)];
            weight *= upper ? p : 1 - p;
          }
          sum += weight * static_cast<double>(
                              image.voxels[static_cast<std::size_t>(linear_index(from, there))]);
        }
        out.voxels[index] = static_cast<float>(sum);
      }
    }
  }
  return out;
}

// -------------------------------------------------------------------------------------------------

void set_up() {
  at::set_num_threads(1);
  const auto in = std::make_shared<const Case>();
  require_equal("linear", distance(resampled(*in, resample_linear), linear_by_aten(*in), kTarget),
                1e-4);
  add("linear/hepar", [=] { resampled(*in, resample_linear); });
  add("linear/plain (ATen)", [=] { linear_by_aten(*in); });

  constexpr std::int64_t kBorder = 8;  // where the spline meets the border the two differ
  require_equal(
      "cubic", distance(resampled(*in, resample_cubic), cubic_by_itk(*in), kTarget, kBorder), 1e-3);
  add("cubic/hepar", [=] { resampled(*in, resample_cubic); });
  add("cubic/plain (ITK)", [=] { cubic_by_itk(*in); });

  require_equal("labels", distance(labels_by_hepar(*in), labels_by_aten(*in)), 1e-3);
  add("labels/hepar", [=] { labels_by_hepar(*in); });
  add("labels/plain (ATen)", [=] { labels_by_aten(*in); });

  constexpr double kEdgeMm = 1.5;
  const Grid cubic = isotropic_grid(in->image.grid, kEdgeMm);
  require_equal("regrid",
                distance(regrid_linear(in->image, cubic, 1).voxels,
                         regrid_by_loops(in->image, cubic).voxels, cubic.size, 1),
                1e-4);
  add("regrid/hepar", [=] { regrid_linear(in->image, cubic, 1); });
  add("regrid/plain (loops)", [=] { regrid_by_loops(in->image, cubic); });

  const PreprocessRule rule{.spacing = {2.5, 1.45, 1.45}, .channels = {Normalization{}}};
  add("preprocess/hepar", [=] { preprocess({in->image}, &in->labels, rule, 1, "bench"); });
}

}  // namespace
}  // namespace hepar::bench

int main(int argc, char** argv) {
  return hepar::bench::run_in_turns(argc, argv, hepar::bench::set_up);
}
