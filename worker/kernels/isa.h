#pragma once

#include <cstdint>

namespace ltml::kernels {

// Channels that a loop works on at once.  Maps and packed weights are padded to it.
inline constexpr int kPanel = 16;
// Rows of a tile: with two vectors a row they keep the multipliers of AVX2 and AVX-512 busy.
inline constexpr int kTileRows = 6;
// Panels that are packed together, so that a line of a wide matrix is read in one go.
inline constexpr int kPanelsAtOnce = 4;
// Floats beyond the end of a map that loops may read.
inline constexpr int kSlack = 32;

// For each panel p, out[r][p * kPanel + (0..kPanel)] (+)= sum over taps t and i < depth of
//   in[t * kTileRows + r][i] * weights[p * panel_pitch + weight_offsets[t] + i * kPanel +
//   (0..kPanel)]
struct GatherTile {
  int rows = 0;    // 1..kTileRows
  int panels = 1;  // 1..Isa::tile_panels
  int taps = 0;
  int depth = 0;
  const float* const* in = nullptr;
  const float* weights = nullptr;
  int64_t panel_pitch = 0;
  const int32_t* weight_offsets = nullptr;
  float* const* out = nullptr;
  bool accumulate = false;
};

// Pixels that belong together in two packed maps: numbers of the first ones, and how many.
struct PixelRun {
  int32_t x = 0, dy = 0, pixels = 0;
};

// out[r * out_pitch + c] (+)= sum over the pixels of all runs of x[p][r] * dy[p][c];
// r < rows, c < columns.  The columns from kPanel on are another panel of dy, panel_pitch behind.
struct OuterTile {
  int rows = 0;          // 1..kTileRows
  int columns = kPanel;  // that are stored: 1..kPanel, or n * kPanel up to n = Isa::tile_panels
  const PixelRun* runs = nullptr;
  int run_count = 0;
  int x_step = 1;             // pixels of x for each pixel of dy
  const float* x = nullptr;   // [pixel][kTileRows]
  const float* dy = nullptr;  // [pixel][kPanel]
  int64_t panel_pitch = 0;
  float* out = nullptr;
  int64_t out_pitch = 0;
  bool accumulate = false;
};

// Part of a map: pixels of `channels` floats, a multiple of kPanel, `pitch` floats apart.
struct Cell {
  int64_t count = 0;
  int channels = 0;
  int64_t pitch = 0;
};

// z = y a + b + shortcut; the shortcut is nothing, x, or x c + d.  Then max(z, 0) where `rectify`.
struct NormApply {
  const float *y = nullptr, *a = nullptr, *b = nullptr;
  const float *x = nullptr, *c = nullptr, *d = nullptr;  // x, c may be null
  float* z = nullptr;
  bool rectify = false;
};

// Gradient through rectifier and normalisation, first pass: g = dz where z > 0, else 0; written
// over dz.  z is given, or is y a + b where z is null.  Sums over the pixels, a float a channel:
//   sum_g = g,  sum_gy = g (y - mean),  and sum_gx = g (x - x_mean) where x is given.
struct NormReduce {
  float* dz = nullptr;
  const float *y = nullptr, *mean = nullptr;
  const float *z = nullptr, *a = nullptr, *b = nullptr;
  const float *x = nullptr, *x_mean = nullptr;
  float *sum_g = nullptr, *sum_gy = nullptr, *sum_gx = nullptr;
};

// Second pass, written over y: y = p g + q (y - mean) + r.
struct NormGradient {
  const float* g = nullptr;
  float* y = nullptr;
  const float *mean = nullptr, *p = nullptr, *q = nullptr, *r = nullptr;
};

// One row of StemPool (pooling.h): for a pixel of z the taps that fall inside y.
inline constexpr uint8_t kNowhere = 255;
struct PoolRow {
  int channels = 0;  // padded
  int in_width = 0, out_width = 0;
  const float* rows[3] = {};  // of y, or null
  const float *scale = nullptr, *shift = nullptr;
  float* z = nullptr;
  uint8_t* from = nullptr;
};
// One row of g: the rows of dz that may have come from it.
struct PoolGradientRow {
  int channels = 0;
  int in_width = 0, out_width = 0;
  const float* dz[2] = {};  // or null
  const uint8_t* from[2] = {};
  int kernel_row[2] = {};  // of the tap by which each row of z reads this one
  float* g = nullptr;
};

// Loops that are compiled for one instruction set.  All sets give the same bits: every result is
// one chain of (fused) operations in a fixed order.
struct Isa {
  const char* name;
  int tile_panels;  // of a tile at most

  void (*gather)(const GatherTile& tile);
  void (*outer)(const OuterTile& tile);
  // to[i * kPanel + j] = from[j * pitch + i] for i < depth and j < columns, 0 for other j < kPanel.
  void (*transpose)(const float* from, int64_t pitch, int depth, int columns, float* to);
  // to[t * tile_pitch + p * kTileRows + r] = from[p * pitch + t * kTileRows + r].  May write two
  // floats beyond each tile.
  void (*pack_rows)(const float* from, int64_t pitch, int pixels, int tiles, int64_t tile_pitch,
                    float* to);
  // For i < depth: to[p * pitch + i * kPanel + j] = from[i * columns + p * kPanel + j], p < panels.
  void (*pack_panels)(const float* from, int64_t columns, int depth, int panels, int64_t pitch,
                      float* to);

  // Sums over the pixels of y - pivot and (y - pivot)^2, a float a channel.
  void (*norm_sums)(const Cell& cell, const float* y, const float* pivot, float* sum,
                    float* sum_of_squares);
  void (*norm_apply)(const Cell& cell, const NormApply& norm);
  void (*norm_reduce)(const Cell& cell, const NormReduce& norm);
  void (*norm_gradient)(const Cell& cell, const NormGradient& norm);

  void (*pool_row)(const PoolRow& row);
  void (*pool_gradient_row)(const PoolGradientRow& row);
};

// nullptr where the processor does not have the instructions.
const Isa* Avx2();
const Isa* Avx512();
// The best set of this processor that LTML_SIMD (common/base/cpu.h) does not forbid; nullptr
// without AVX2 and fused multiply-add.
const Isa* BestIsa();

}  // namespace ltml::kernels
