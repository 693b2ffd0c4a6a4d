#pragma once
#include <itkImage.h>

#include <hepar/core/geometry.h>
#include <cstdint>
#include <span>

namespace hepar::detail {

/// An ITK image over voxels that stay ours: nothing is copied, `voxels` must outlive the image, and
/// only filters that leave their input alone may be given it. The one place where (z, y, x) becomes
/// ITK's (x, y, z).
template <class T>
typename itk::Image<T, 3>::Pointer borrow_as_itk(std::span<const T> voxels, SizeVox size,
                                                 SpacingMm spacing) {
  using Image = itk::Image<T, 3>;
  auto image = Image::New();
  image->SetRegions(typename Image::SizeType{{static_cast<itk::SizeValueType>(size.x),
                                              static_cast<itk::SizeValueType>(size.y),
                                              static_cast<itk::SizeValueType>(size.z)}});
  const double steps[3] = {spacing.x, spacing.y, spacing.z};
  image->SetSpacing(steps);
  image->GetPixelContainer()->SetImportPointer(const_cast<T*>(voxels.data()), voxels.size(), false);
  return image;
}

}  // namespace hepar::detail
