#include "hepar/image/regrid.h"

#include <itkImage.h>
#include <itkLinearInterpolateImageFunction.h>
#include <itkNearestNeighborInterpolateImageFunction.h>
#include <itkResampleImageFilter.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "itk_volume.h"

namespace hepar {
namespace {

using Direction = itk::Matrix<double, 3, 3>;

/// RAS+ as it is: ITK's own convention is LPS, but only differences between two grids matter here.
Direction direction_of(const Grid& grid) {
  Direction direction;
  for (unsigned column = 0; column < 3; ++column) {
    const WorldMm& axis = grid.axis[2 - column];
    direction(0, column) = axis.r;
    direction(1, column) = axis.a;
    direction(2, column) = axis.s;
  }
  return direction;
}

template <class T, class Interpolator>
Image<T> regrid(const Image<T>& image, const Grid& target, int threads) {
  using Volume = itk::Image<T, 3>;
  const typename Volume::Pointer input =
      detail::borrow_as_itk(std::span<const T>(image.voxels), image.grid.size, image.grid.spacing);
  input->SetDirection(direction_of(image.grid));
  const std::array<double, 3> from{image.grid.origin.r, image.grid.origin.a, image.grid.origin.s};
  input->SetOrigin(from.data());

  const auto filter = itk::ResampleImageFilter<Volume, Volume>::New();
  filter->SetInput(input);
  filter->SetInterpolator(Interpolator::New());
  filter->SetDefaultPixelValue(0);
  filter->SetNumberOfWorkUnits(static_cast<itk::ThreadIdType>(std::max(1, threads)));
  filter->SetSize({{static_cast<itk::SizeValueType>(target.size.x),
                    static_cast<itk::SizeValueType>(target.size.y),
                    static_cast<itk::SizeValueType>(target.size.z)}});
  const std::array<double, 3> steps{target.spacing.x, target.spacing.y, target.spacing.z};
  const std::array<double, 3> to{target.origin.r, target.origin.a, target.origin.s};
  filter->SetOutputSpacing(steps.data());
  filter->SetOutputOrigin(to.data());
  filter->SetOutputDirection(direction_of(target));
  filter->Update();
  const T* voxels = filter->GetOutput()->GetBufferPointer();
  return {target, {voxels, voxels + count(target.size)}};
}

}  // namespace

Grid isotropic_grid(const Grid& grid, double edge_mm) {
  Grid result = grid;
  for (int axis = 0; axis < 3; ++axis) {
    const double voxels = static_cast<double>(grid.size[axis]) * grid.spacing[axis] / edge_mm;
    result.size[axis] = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::trunc(voxels)));
    result.spacing[axis] = edge_mm;
  }
  return result;
}

Image<float> regrid_linear(const Image<float>& image, const Grid& target, int threads) {
  using Volume = itk::Image<float, 3>;
  return regrid<float, itk::LinearInterpolateImageFunction<Volume, double>>(image, target, threads);
}

LabelImage regrid_nearest(const LabelImage& labels, const Grid& target, int threads) {
  using Volume = itk::Image<std::int16_t, 3>;
  return regrid<std::int16_t, itk::NearestNeighborInterpolateImageFunction<Volume, double>>(
      labels, target, threads);
}

}  // namespace hepar
