#pragma once

// The loops of convolutions (isa.h) for vectors of V floats.  Each source file of an instruction
// set includes it once.
#include <algorithm>
#include <array>

#include "worker/kernels/isa.h"
#include "worker/kernels/simd.h"

namespace ltml::kernels {
namespace {

// Two vectors a row.
template <int V>
inline constexpr int kTilePanels = 2 * V / kPanel;

// R rows of P panels.
template <int V, int R, int P>
struct Accumulators {
  static constexpr int kOfPanel = kPanel / V;
  static constexpr int kVectors = P * kOfPanel;
  Vector<V> sum[R][kVectors];

  // By index: `auto&` would forget that vectors need not be aligned.
  void Clear() {
    for (int r = 0; r < R; ++r) {
      for (int j = 0; j < kVectors; ++j) sum[r][j] = Vector<V>{};
    }
  }
  // Lines that will be stored are fetched meanwhile.
  void Expect(const float* to) {
    for (int j = 0; j < P; ++j) __builtin_prefetch(to + j * kPanel, 1);
  }
  void Load(int row, const float* from) {
    for (int j = 0; j < kVectors; ++j) sum[row][j] = kernels::Load<V>(from + j * V);
  }
  void Store(int row, float* to) const {
    for (int j = 0; j < kVectors; ++j) kernels::Store<V>(to + j * V, sum[row][j]);
  }
  // sum[r] += x[r] * w for one line of w of each panel.
  template <typename Scalar>
  void Add(const float* w_line, int64_t panel_pitch, const Scalar& x) {
    Vector<V> w[kVectors];
    for (int j = 0; j < kVectors; ++j) {
      w[j] = kernels::Load<V>(w_line + j / kOfPanel * panel_pitch + j % kOfPanel * V);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vector<V> a = Splat<V>(x(r));
      for (int j = 0; j < kVectors; ++j) sum[r][j] += a * w[j];
    }
  }
};

template <int V, int R, int P>
void Gather(const GatherTile& tile) {
  Accumulators<V, R, P> acc;
  acc.Clear();
  for (int r = 0; r < R; ++r) acc.Expect(tile.out[r]);
  for (int r = 0; tile.accumulate && r < R; ++r) acc.Load(r, tile.out[r]);
  for (int t = 0; t < tile.taps; ++t) {
    const float* x[R];
    for (int r = 0; r < R; ++r) x[r] = tile.in[t * kTileRows + r];
    const float* weights = tile.weights + tile.weight_offsets[t];
    for (int i = 0; i < tile.depth; ++i, weights += kPanel) {
      acc.Add(weights, tile.panel_pitch, [&](int r) { return x[r][i]; });
    }
  }
  for (int r = 0; r < R; ++r) acc.Store(r, tile.out[r]);
}

template <int V, int R, int P>
void AddRun(const PixelRun& run, const OuterTile& tile, Accumulators<V, R, P>& acc) {
  const float* x = tile.x + int64_t{run.x} * kTileRows;
  const float* dy = tile.dy + int64_t{run.dy} * kPanel;
  const int x_step = tile.x_step * kTileRows;
  for (int p = 0; p < run.pixels; ++p, x += x_step, dy += kPanel) {
    acc.Add(dy, tile.panel_pitch, [&](int r) { return x[r]; });
  }
}

template <int V, int R, int P>
void OuterWhole(const OuterTile& tile) {
  Accumulators<V, R, P> acc;
  acc.Clear();
  for (int r = 0; tile.accumulate && r < R; ++r) acc.Load(r, tile.out + r * tile.out_pitch);
  for (int i = 0; i < tile.run_count; ++i) AddRun<V, R, P>(tile.runs[i], tile, acc);
  for (int r = 0; r < R; ++r) acc.Store(r, tile.out + r * tile.out_pitch);
}

// A tile at the right edge of the weights goes through memory of its own.
template <int V, int R, int P>
void Outer(const OuterTile& tile) {
  if (tile.columns == P * kPanel) return OuterWhole<V, R, P>(tile);
  std::array<float, R * kPanel> whole{};
  OuterTile inner = tile;
  inner.out = whole.data();
  inner.out_pitch = kPanel;
  for (int r = 0; tile.accumulate && r < R; ++r) {
    std::copy_n(tile.out + r * tile.out_pitch, tile.columns, inner.out + r * kPanel);
  }
  OuterWhole<V, R, 1>(inner);
  for (int r = 0; r < R; ++r) {
    std::copy_n(inner.out + r * kPanel, tile.columns, tile.out + r * tile.out_pitch);
  }
}

// Loops by rows; P panels.
template <int V, int P>
constexpr std::array<void (*)(const GatherTile&), kTileRows> kGather = {
    Gather<V, 1, P>, Gather<V, 2, P>, Gather<V, 3, P>,
    Gather<V, 4, P>, Gather<V, 5, P>, Gather<V, 6, P>};
template <int V, int P>
constexpr std::array<void (*)(const OuterTile&), kTileRows> kOuter = {
    Outer<V, 1, P>, Outer<V, 2, P>, Outer<V, 3, P>, Outer<V, 4, P>, Outer<V, 5, P>, Outer<V, 6, P>};

template <int V>
void GatherAny(const GatherTile& tile) {
  const auto& loops = tile.panels == 1 ? kGather<V, 1> : kGather<V, kTilePanels<V>>;
  loops[tile.rows - 1](tile);
}

template <int V>
void OuterAny(const OuterTile& tile) {
  const auto& loops = tile.columns <= kPanel ? kOuter<V, 1> : kOuter<V, kTilePanels<V>>;
  loops[tile.rows - 1](tile);
}

// Eight lines of eight floats, lines becoming columns of a panel.
inline void TransposeEight(const float* from, int64_t pitch, float* to) {
  Vector<8> a[8], b[8];
  for (int r = 0; r < 8; ++r) a[r] = Load<8>(from + r * pitch);
  for (int r = 0; r < 8; r += 2) {
    b[r] = __builtin_shufflevector(a[r], a[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    b[r + 1] = __builtin_shufflevector(a[r], a[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int r = 0; r < 8; r += 4) {
    for (int i = 0; i < 2; ++i) {
      const Vector<8> upper = b[r + i], lower = b[r + i + 2];
      a[r + 2 * i] = __builtin_shufflevector(upper, lower, 0, 1, 8, 9, 4, 5, 12, 13);
      a[r + 2 * i + 1] = __builtin_shufflevector(upper, lower, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int r = 0; r < 4; ++r) {
    const Vector<8> upper = a[r], lower = a[r + 4];
    Store<8>(to + r * kPanel, __builtin_shufflevector(upper, lower, 0, 1, 2, 3, 8, 9, 10, 11));
    Store<8>(to + (r + 4) * kPanel,
             __builtin_shufflevector(upper, lower, 4, 5, 6, 7, 12, 13, 14, 15));
  }
}

inline void Transpose(const float* from, int64_t pitch, int depth, int columns, float* to) {
  int i = 0;
  for (; columns == kPanel && i + 8 <= depth; i += 8) {
    TransposeEight(from + i, pitch, to + i * kPanel);
    TransposeEight(from + 8 * pitch + i, pitch, to + i * kPanel + 8);
  }
  for (; i < depth; ++i) {
    for (int j = 0; j < kPanel; ++j) to[i * kPanel + j] = j < columns ? from[j * pitch + i] : 0;
  }
}

// Lines of a wide map or matrix lie too far apart for the processor to foresee the next one.
constexpr int kLinesAhead = 8;

inline void PackRows(const float* from, int64_t pitch, int pixels, int tiles, int64_t tile_pitch,
                     float* to) {
  for (int p = 0; p < pixels; ++p, from += pitch, to += kTileRows) {
    for (int i = 0; p + kLinesAhead < pixels && i < tiles * kTileRows; i += kPanel) {
      __builtin_prefetch(from + kLinesAhead * pitch + i);
    }
    for (int t = 0; t < tiles; ++t) Store<8>(to + t * tile_pitch, Load<8>(from + t * kTileRows));
  }
}

inline void PackPanels(const float* from, int64_t columns, int depth, int panels, int64_t pitch,
                       float* to) {
  for (int i = 0; i < depth; ++i, from += columns, to += kPanel) {
    for (int p = 0; p < panels; ++p) {
      if (i + kLinesAhead < depth) __builtin_prefetch(from + kLinesAhead * columns + p * kPanel);
      for (int j = 0; j < kPanel; j += 8) {
        Store<8>(to + p * pitch + j, Load<8>(from + p * kPanel + j));
      }
    }
  }
}

}  // namespace
}  // namespace ltml::kernels
