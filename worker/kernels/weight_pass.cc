#include "worker/kernels/weight_pass.h"

#include <algorithm>

namespace ltml::kernels {
namespace {

// Output pixels of a chunk: enough that loading and storing the sums does not count.
constexpr int kChunkPixels = 768;
// Tiles of input channels that are packed at once.
constexpr int kTilesAtOnce = 16;
// What pack_rows may write behind a tile.
constexpr int kTileSlack = 8;

int DivideUp(int a, int b) { return (a + b - 1) / b; }

}  // namespace

WeightPass::WeightPass(const ConvolutionShape& shape, const Isa& isa, Scratch& scratch)
    : shape_(shape),
      isa_(isa),
      scratch_(scratch),
      rows_(RowAxis(shape)),
      columns_(ColumnAxis(shape)),
      panels_(PaddedChannels(shape.out_channels) / kPanel),
      tiles_(DivideUp(shape.in_channels, kTileRows)),
      sparse_rows_(shape.kernel_height == 1 && shape.stride > 1),
      sparse_columns_(shape.kernel_width == 1 && shape.stride > 1),
      packed_width_(sparse_columns_ ? columns_.out : columns_.in),
      x_step_(sparse_columns_ ? 1 : shape.stride) {
  const int pixels = static_cast<int>(shape.out_pixels());
  chunk_images_ = std::clamp(kChunkPixels / pixels, 1, shape.images);
  chunk_rows_ =
      chunk_images_ > 1 ? rows_.out : std::clamp(kChunkPixels / columns_.out, 1, rows_.out);
}

void WeightPass::Run(const float* x, const float* dy, float* dw) {
  const int threads = MaxThreads();
  scratch_.Prepare(threads);
  OnThreads([&](int thread, int running) {
    for (int part = thread; part < threads; part += running) {
      Task task = TaskOf(part, threads);
      if (task.weights.size() == 0 || task.tiles.size() == 0) continue;
      const Chunk largest = ChunkAt(0, std::min(1, DivideUp(rows_.out, chunk_rows_) - 1));
      const int64_t rows = std::max(largest.in_rows.size(), ChunkAt(0, 0).in_rows.size());
      const int64_t x_floats =
          (rows * packed_width_ * chunk_images_ * kTileRows + kTileSlack) * kTilesAtOnce;
      const int64_t dy_floats =
          int64_t{chunk_rows_} * columns_.out * chunk_images_ * task.panels.size() * kPanel;
      task.packed_x = scratch_.Take(thread, x_floats + kSlack + dy_floats);
      task.packed_dy = task.packed_x + x_floats + kSlack;
      RunTask(task, {x, dy, dw});
    }
  });
}

// By input channels or by weights, whichever packs less twice.
WeightPass::Task WeightPass::TaskOf(int part, int parts) const {
  const bool by_tiles = shape_.in_channels > shape_.out_channels;
  const int64_t all = int64_t{shape_.taps()} * panels_;
  Task task;
  task.weights = by_tiles ? Range{0, all} : Share(all, part, parts);
  task.tiles = by_tiles ? Share(tiles_, part, parts) : Range{0, tiles_};
  const bool one_tap = task.weights.begin / panels_ == (task.weights.end - 1) / panels_;
  task.panels = {0, panels_};
  if (one_tap) {
    const int64_t tap = task.weights.begin / panels_;
    task.panels = {task.weights.begin - tap * panels_, task.weights.end - tap * panels_};
  }
  return task;
}

WeightPass::Chunk WeightPass::ChunkAt(int image_chunk, int row_chunk) const {
  Chunk chunk;
  chunk.first = image_chunk == 0 && row_chunk == 0;
  chunk.first_image = image_chunk * chunk_images_;
  chunk.images = std::min(chunk_images_, shape_.images - chunk.first_image);
  const int first = row_chunk * chunk_rows_, last = std::min(rows_.out, first + chunk_rows_) - 1;
  chunk.out_rows = {first, last + 1};
  chunk.in_rows = chunk.out_rows;
  if (!sparse_rows_) {
    chunk.in_rows = {
        std::max(0, first * shape_.stride - shape_.padding),
        std::min(rows_.in, last * shape_.stride - shape_.padding + shape_.kernel_height)};
  }
  return chunk;
}

int64_t WeightPass::TilePitch(const Chunk& chunk) const {
  return chunk.InPixels(packed_width_) * kTileRows + kTileSlack;
}

int64_t WeightPass::PanelPitch(const Chunk& chunk) const {
  return chunk.OutPixels(columns_.out) * kPanel;
}

void WeightPass::RunTask(Task& task, const Maps& maps) const {
  const int image_chunks = DivideUp(shape_.images, chunk_images_);
  const int row_chunks = DivideUp(rows_.out, chunk_rows_);
  for (int image_chunk = 0; image_chunk < image_chunks; ++image_chunk) {
    for (int row_chunk = 0; row_chunk < row_chunks; ++row_chunk) {
      RunChunk(ChunkAt(image_chunk, row_chunk), task, maps);
    }
  }
}

void WeightPass::RunChunk(const Chunk& chunk, Task& task, const Maps& maps) const {
  PackDy(chunk, task, maps.dy);
  for (int64_t tile = task.tiles.begin; tile < task.tiles.end; tile += kTilesAtOnce) {
    const Range tiles = {tile, std::min(tile + kTilesAtOnce, task.tiles.end)};
    PackX(chunk, tiles, maps.x, task.packed_x);
    for (int64_t tap = task.weights.begin / panels_; tap * panels_ < task.weights.end; ++tap) {
      AddTap(chunk, static_cast<int>(tap), tiles, task, maps);
    }
  }
}

void WeightPass::PackDy(const Chunk& chunk, const Task& task, const float* dy) const {
  const int64_t pitch = PaddedChannels(shape_.out_channels);
  const int64_t image = shape_.out_image();
  const int64_t first = chunk.out_rows.begin * columns_.out;
  const int64_t pixels = chunk.out_rows.size() * columns_.out;
  const int64_t panel_pitch = PanelPitch(chunk);
  float* to = task.packed_dy;
  for (int64_t panel = task.panels.begin; panel < task.panels.end; panel += kPanelsAtOnce) {
    const int panels = static_cast<int>(std::min<int64_t>(kPanelsAtOnce, task.panels.end - panel));
    const float* const from = dy + chunk.first_image * image + first * pitch + panel * kPanel;
    if (chunk.images == 1) {
      isa_.pack_panels(from, pitch, static_cast<int>(pixels), panels, panel_pitch, to);
    } else {
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        isa_.pack_panels(from + pixel * pitch, image, chunk.images, panels, panel_pitch,
                         to + pixel * chunk.images * kPanel);
      }
    }
    to += panels * panel_pitch;
  }
}

void WeightPass::PackX(const Chunk& chunk, Range tiles, const float* x, float* to) const {
  const int count = static_cast<int>(tiles.size());
  const int64_t image = shape_.in_image();
  const int64_t row = int64_t{sparse_rows_ ? shape_.stride : 1} * shape_.in_row;
  const int64_t column = int64_t{sparse_columns_ ? shape_.stride : 1} * shape_.in_pitch;
  const float* const from = x + chunk.first_image * image + tiles.begin * kTileRows;
  const int64_t pitch = TilePitch(chunk);
  for (int64_t y = chunk.in_rows.begin; y < chunk.in_rows.end; ++y) {
    if (chunk.images == 1) {
      isa_.pack_rows(from + y * row, column, packed_width_, count, pitch, to);
      to += int64_t{packed_width_} * kTileRows;
      continue;
    }
    for (int i = 0; i < packed_width_; ++i, to += int64_t{chunk.images} * kTileRows) {
      isa_.pack_rows(from + y * row + i * column, image, chunk.images, count, pitch, to);
    }
  }
}

void WeightPass::FindRuns(const Chunk& chunk, int tap, std::vector<PixelRun>& runs) const {
  const int kh = tap / shape_.kernel_width, kw = tap % shape_.kernel_width;
  int first = 0, last = columns_.out;
  while (first < last && columns_.InputOf(first, kw) < 0) ++first;
  while (last > first && columns_.InputOf(last - 1, kw) < 0) --last;
  const int length = RunsAlongImages(chunk) ? 1 : std::max(last - first, 1);
  runs.clear();
  for (int64_t y = chunk.out_rows.begin; y < chunk.out_rows.end; ++y) {
    const int64_t in_y = sparse_rows_ ? y : rows_.InputOf(static_cast<int>(y), kh);
    if (in_y < 0) continue;
    for (int x = first; x < last; x += length) {
      const int64_t in_x = sparse_columns_ ? x : columns_.InputOf(x, kw);
      const int64_t in = (in_y - chunk.in_rows.begin) * packed_width_ + in_x;
      const int64_t out = (y - chunk.out_rows.begin) * columns_.out + x;
      runs.push_back({.x = static_cast<int32_t>(in * chunk.images),
                      .dy = static_cast<int32_t>(out * chunk.images),
                      .pixels = length * chunk.images});
    }
  }
}

void WeightPass::AddTap(const Chunk& chunk, int tap, Range tiles, Task& task,
                        const Maps& maps) const {
  FindRuns(chunk, tap, task.runs);
  if (task.runs.empty() && !chunk.first) return;
  const int64_t first_panel = std::max<int64_t>(0, task.weights.begin - int64_t{tap} * panels_);
  const int64_t end_panel = std::min<int64_t>(panels_, task.weights.end - int64_t{tap} * panels_);
  OuterTile tile{.runs = task.runs.data(),
                 .run_count = static_cast<int>(task.runs.size()),
                 .x_step = RunsAlongImages(chunk) ? 1 : x_step_,
                 .out_pitch = shape_.out_channels,
                 .accumulate = !chunk.first};
  float* const dw = maps.dw + int64_t{tap} * shape_.in_channels * shape_.out_channels;
  tile.panel_pitch = PanelPitch(chunk);
  for (int64_t panel = first_panel, panels = 1; panel < end_panel; panel += panels) {
    const int64_t columns = shape_.out_channels - panel * kPanel;
    panels = std::clamp<int64_t>(columns / kPanel, 1,
                                 std::min<int64_t>(isa_.tile_panels, end_panel - panel));
    tile.columns = static_cast<int>(std::min(panels * kPanel, columns));
    tile.dy = task.packed_dy + (panel - task.panels.begin) * tile.panel_pitch;
    for (int64_t i = tiles.begin; i < tiles.end; ++i) {
      const int channel = static_cast<int>(i) * kTileRows;
      tile.rows = std::min(kTileRows, shape_.in_channels - channel);
      tile.x = task.packed_x + (i - tiles.begin) * TilePitch(chunk);
      tile.out = dw + int64_t{channel} * shape_.out_channels + panel * kPanel;
      isa_.outer(tile);
    }
  }
}

}  // namespace ltml::kernels
