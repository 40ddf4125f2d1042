#include "worker/kernels/gather_pass.h"

#include <algorithm>
#include <utility>

namespace ltml::kernels {
namespace {

// Packed weights that a thread works through at once: a part of a second-level cache.
constexpr int64_t kPackedFloats = 48 << 10;

}  // namespace

GatherPass::GatherPass(const GatherMaps& maps, std::vector<TapGroup> groups, const Isa& isa,
                       Scratch& scratch)
    : maps_(maps), groups_(std::move(groups)), isa_(isa), scratch_(scratch) {}

GatherPass::Block GatherPass::Shape(int panels) const {
  Block block;
  block.panels = std::min(panels, kPanelsAtOnce);
  block.taps = static_cast<int>(
      std::clamp<int64_t>(kPackedFloats / (block.panels * tap_floats()), 1, maps_.taps));
  if (block.taps == maps_.taps) {
    const int64_t fitting = kPackedFloats / (block.taps * tap_floats());
    block.panels = static_cast<int>(std::clamp<int64_t>(
        fitting / isa_.tile_panels * isa_.tile_panels, std::min(panels, isa_.tile_panels), panels));
  }
  return block;
}

void GatherPass::Run(const float* in, const Pack& pack, float* out, bool accumulate) {
  const int threads = MaxThreads();
  scratch_.Prepare(threads);
  // Threads share what is larger, weights or pixels, and all read the other.
  const int64_t weights = tap_floats() * maps_.taps * maps_.panels;
  const bool by_panels = weights > maps_.in_image * maps_.images;
  const int panel_parts = by_panels ? std::min(threads, maps_.panels) : 1;
  const int pixel_parts = threads / panel_parts;
  OnThreads([&](int thread, int running) {
    // Fewer threads than asked for share the parts.
    for (int i = thread; i < panel_parts * pixel_parts; i += running) {
      const Range panels = Share(maps_.panels, i % panel_parts, panel_parts);
      const Block block = Shape(static_cast<int>(panels.size()));
      RunPanels(pack, panels,
                {.in = in,
                 .out = out,
                 .accumulate = accumulate,
                 .part = i / panel_parts,
                 .parts = pixel_parts,
                 .packed = scratch_.Take(thread, tap_floats() * block.panels * block.taps)});
    }
  });
}

void GatherPass::RunPanels(const Pack& pack, Range panels, const Part& part) const {
  const Block shape = Shape(static_cast<int>(panels.size()));
  Block block;
  for (int64_t p = panels.begin; p < panels.end; p += shape.panels) {
    block.first_panel = static_cast<int>(p);
    block.panels = static_cast<int>(std::min<int64_t>(shape.panels, panels.end - p));
    for (int tap = 0; tap < maps_.taps; tap += shape.taps) {
      block.first_tap = tap;
      block.taps = std::min(shape.taps, maps_.taps - tap);
      for (int t = 0; t < block.taps; ++t) {
        pack(tap + t, block.first_panel, block.panels, block.taps * tap_floats(),
             part.packed + t * tap_floats());
      }
      RunBlock(block, part);
    }
  }
}

void GatherPass::RunBlock(const Block& block, const Part& part) const {
  for (const TapGroup& group : groups_) RunGroup(group, block, part);
}

void GatherPass::RunGroup(const TapGroup& group, const Block& block, const Part& part) const {
  const auto index_of = [&](int tap) {
    return std::ranges::lower_bound(group.taps, tap) - group.taps.begin();
  };
  const Range taps = {index_of(block.first_tap), index_of(block.first_tap + block.taps)};
  const bool accumulate = part.accumulate || block.first_tap > 0;
  if (taps.size() == 0 && accumulate) return;
  std::vector<int32_t> offsets;
  for (int64_t t = taps.begin; t < taps.end; ++t) {
    offsets.push_back(static_cast<int32_t>((group.taps[t] - block.first_tap) * tap_floats()));
  }
  Pointers pointers;
  GatherTile tile{.taps = static_cast<int>(taps.size()),
                  .depth = maps_.depth,
                  .in = pointers.in.data(),
                  .weight_offsets = offsets.data(),
                  .out = pointers.out.data(),
                  .accumulate = accumulate};
  const int64_t all_pixels = group.pixels() * maps_.images;
  const int tiles = static_cast<int>((all_pixels + kTileRows - 1) / kTileRows);
  const Range mine = Share(tiles, part.part, part.parts);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const Range pixels = Share(all_pixels, static_cast<int>(i), tiles);
    tile.rows = static_cast<int>(pixels.size());
    Point(group, taps, pixels, part, pointers);
    RunTile(tile, block, part, pointers);
  }
}

void GatherPass::Point(const TapGroup& group, Range taps, Range pixels, const Part& part,
                       Pointers& pointers) const {
  const int64_t all_taps = static_cast<int64_t>(group.taps.size());
  for (int64_t row = 0; row < pixels.size(); ++row) {
    const int64_t image = (pixels.begin + row) / group.pixels();
    const int64_t pixel = (pixels.begin + row) % group.pixels();
    const float* const from = part.in + image * maps_.in_image;
    const int32_t* const offsets = group.in_offsets.data() + pixel * all_taps;
    for (int64_t t = taps.begin; t < taps.end; ++t) {
      pointers.in[(t - taps.begin) * kTileRows + row] = from + offsets[t];
    }
    pointers.out[row] = part.out + image * maps_.out_image + group.out_offsets[pixel];
  }
}

// Of a kernel of one tap, what the next tile reads, if its pixels follow on those of this one: a
// share of it for each panel, so that it comes while the panel is computed.
void GatherPass::FetchAhead(const GatherTile& tile, int panel, int panels) const {
  if (maps_.taps > 1 || tile.taps == 0 || tile.rows < 2) return;
  const Range mine = {int64_t{tile.depth} * panel / panels,
                      int64_t{tile.depth} * (panel + tile.panels) / panels};
  const int64_t ahead = (tile.in[1] - tile.in[0]) * tile.rows;
  for (int r = 0; r < tile.rows; ++r) {
    for (int64_t i = mine.begin; i < mine.end; i += kPanel) {
      __builtin_prefetch(tile.in[r] + ahead + i);
    }
  }
}

void GatherPass::RunTile(GatherTile& tile, const Block& block, const Part& part,
                         Pointers& pointers) const {
  for (int r = 0; r < tile.rows; ++r) pointers.out[r] += int64_t{block.first_panel} * kPanel;
  tile.panel_pitch = block.taps * tap_floats();
  for (int p = 0; p < block.panels; p += tile.panels) {
    tile.panels = std::min(isa_.tile_panels, block.panels - p);
    tile.weights = part.packed + p * tile.panel_pitch;
    FetchAhead(tile, p, block.panels);
    isa_.gather(tile);
    for (int r = 0; r < tile.rows; ++r) pointers.out[r] += int64_t{tile.panels} * kPanel;
  }
}

}  // namespace ltml::kernels
