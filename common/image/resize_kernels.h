#pragma once

#include <cstdint>

#include "common/image/filter.h"

// The two inner loops of a resize.  Pixels of four bytes are R, G, B and a byte without meaning.
namespace ltml::image {

struct ResizeKernels {
  // kRows rows [in, 3] -> [outputs] pixels of four bytes.  Output i of row r goes to
  // to[r][i * step], step 1 or -1; rows may be the same.  Up to kOverread bytes behind the last
  // pixel in reach are read, not used.
  static constexpr int kRows = 4;
  struct Rows {
    const uint8_t* from[kRows];
    uint32_t* to[kRows];
    std::ptrdiff_t step;
  };
  static constexpr int kOverread = 16;
  void (*across)(const Filter& filter, const Rows& rows);

  // Output i of a filter over rows of `width` pixels: from [count, width] -> to [width].
  struct Column {
    const uint32_t* from;
    uint32_t* to;
    int width;
  };
  void (*down)(const Filter& filter, int i, const Column& column);
};

// The same pixels from all, to the bit.
const ResizeKernels& PortableKernels();
const ResizeKernels& Avx2Kernels();    // where base::HasAvx2()
const ResizeKernels& Avx512Kernels();  // where base::HasAvx512()
const ResizeKernels& BestKernels();

}  // namespace ltml::image
