#pragma once

#include <array>
#include <functional>
#include <vector>

#include "worker/kernels/isa.h"
#include "worker/kernels/memory.h"
#include "worker/kernels/parallel.h"
#include "worker/kernels/tap_groups.h"

namespace ltml::kernels {

// What a gather pass works on.  Floats of an image in either map, panels of the output.
struct GatherMaps {
  int images = 0;
  int taps = 0, depth = 0;  // of the kernel; floats that a tap reads
  int panels = 0;
  int64_t in_image = 0, out_image = 0;
};

// out = in * weights: the forward pass and the gradient of the data.  Each thread has a part of the
// panels or of the pixels; it packs a block of weights that stays in its cache, and runs its pixels
// over it, group by group, in tiles of up to kTileRows.
class GatherPass {
 public:
  // Packs the weights of one tap for `panels` panels: to[p * pitch + i * kPanel + j], i < depth.
  using Pack = std::function<void(int tap, int first_panel, int panels, int64_t pitch, float* to)>;

  GatherPass(const GatherMaps& maps, std::vector<TapGroup> groups, const Isa& isa,
             Scratch& scratch);
  void Run(const float* in, const Pack& pack, float* out, bool accumulate);

 private:
  // A block of weights: the taps and panels that are packed at once.
  struct Block {
    int first_tap = 0, taps = 0, first_panel = 0, panels = 0;
  };
  struct Part {
    const float* in = nullptr;
    float* out = nullptr;
    bool accumulate = false;
    int part = 0, parts = 1;  // of the pixels
    float* packed = nullptr;
  };
  int64_t tap_floats() const { return int64_t{maps_.depth} * kPanel; }
  Block Shape(int panels) const;
  void RunPanels(const Pack& pack, Range panels, const Part& part) const;
  void RunBlock(const Block& block, const Part& part) const;
  void RunGroup(const TapGroup& group, const Block& block, const Part& part) const;
  // Where the rows of a tile are read and written.
  struct Pointers {
    static constexpr size_t kMaxTaps = 64;
    std::array<const float*, kMaxTaps * kTileRows> in;
    std::array<float*, kTileRows> out;
  };
  void Point(const TapGroup& group, Range taps, Range pixels, const Part& part,
             Pointers& pointers) const;
  void FetchAhead(const GatherTile& tile, int panel, int panels) const;
  void RunTile(GatherTile& tile, const Block& block, const Part& part, Pointers& pointers) const;

  const GatherMaps maps_;
  const std::vector<TapGroup> groups_;
  const Isa& isa_;
  Scratch& scratch_;
};

}  // namespace ltml::kernels
