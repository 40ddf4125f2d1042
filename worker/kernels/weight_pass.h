#pragma once

#include <vector>

#include "worker/kernels/convolution.h"
#include "worker/kernels/isa.h"
#include "worker/kernels/memory.h"
#include "worker/kernels/parallel.h"
#include "worker/kernels/tap_groups.h"

namespace ltml::kernels {

// dw = sum over images and pixels of x dy.  The pixels are cut into chunks, always the same ones;
// a thread packs a chunk of dy and, some channels at a time, of x, and adds its part of the weights
// for all pixels of the chunk.  In a chunk of several images, pixel by pixel, the images are
// neighbours, so that small maps make long runs too.
class WeightPass {
 public:
  WeightPass(const ConvolutionShape& shape, const Isa& isa, Scratch& scratch);
  void Run(const float* x, const float* dy, float* dw);

 private:
  // Images and output rows that are summed at once.
  struct Chunk {
    bool first = false;
    int first_image = 0, images = 0;
    Range out_rows, in_rows;  // in_rows in packed rows of x

    int64_t OutPixels(int width) const { return out_rows.size() * width * images; }
    int64_t InPixels(int width) const { return in_rows.size() * width * images; }
  };
  // What a thread computes: weights [tap][panel] in a row, and tiles of input channels.
  struct Task {
    Range weights, tiles, panels;
    float* packed_x = nullptr;
    float* packed_dy = nullptr;
    std::vector<PixelRun> runs{};
  };
  struct Maps {
    const float *x = nullptr, *dy = nullptr;
    float* dw = nullptr;
  };

  Chunk ChunkAt(int image_chunk, int row_chunk) const;
  Task TaskOf(int part, int parts) const;
  void RunTask(Task& task, const Maps& maps) const;
  void RunChunk(const Chunk& chunk, Task& task, const Maps& maps) const;
  void PackDy(const Chunk& chunk, const Task& task, const float* dy) const;
  void PackX(const Chunk& chunk, Range tiles, const float* x, float* to) const;
  void FindRuns(const Chunk& chunk, int tap, std::vector<PixelRun>& runs) const;
  void AddTap(const Chunk& chunk, int tap, Range tiles, Task& task, const Maps& maps) const;

  bool RunsAlongImages(const Chunk& chunk) const { return x_step_ > 1 && chunk.images > 1; }
  int64_t TilePitch(const Chunk& chunk) const;   // of packed x
  int64_t PanelPitch(const Chunk& chunk) const;  // of packed dy

  const ConvolutionShape shape_;
  const Isa& isa_;
  Scratch& scratch_;
  const TapAxis rows_, columns_;
  const int panels_, tiles_;
  // A kernel of one row (column) needs only every stride-th row (column) of x.
  const bool sparse_rows_, sparse_columns_;
  const int packed_width_;  // pixels of a packed row of x
  const int x_step_;        // packed pixels of x for each of dy along a row
  int chunk_images_ = 1, chunk_rows_ = 1;
};

}  // namespace ltml::kernels
