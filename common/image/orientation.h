#pragma once

#include <cstddef>
#include <span>

#include "common/image/image.h"

namespace ltml::image {

// EXIF orientation 1..8 of a TIFF block (what follows "Exif\0\0" in a JPEG, the eXIf chunk of a
// PNG): tag 0x0112 of the first directory.  1 when it is absent, broken or out of range.
int ParseOrientation(std::span<const std::byte> tiff);

// The image as a viewer would show it: orientation 2..4 mirror and turn, 5..8 swap width and height
// too; anything else leaves it alone.
Image TurnUpright(Image image, int orientation);

}  // namespace ltml::image
