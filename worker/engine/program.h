#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "worker/engine/engine.h"
#include "worker/engine/memory_plan.h"
#include "worker/kernels/convolution.h"
#include "worker/kernels/memory.h"
#include "worker/kernels/pooling.h"

namespace ltml::engine {

// What one call of the engine works with.
struct Call {
  float* memory = nullptr;
  const float* images = nullptr;
  std::span<const LayerTensors> layers{};
  std::span<float* const> features{};
  std::span<const float* const> feature_gradients{};
  std::span<const LayerGradients> gradients{};
  const std::function<void(int)>* done = nullptr;
};

// The operations of a network in order, and the buffers that they use: made once for a plan and a
// shape of batch.  Backward operations are kept in the order in which they run.
class Program {
 public:
  Program(const NetworkPlan& plan, const BatchShape& batch, Purpose purpose,
          const kernels::Isa& isa);

  void Forward(const Call& call) const;
  void Backward(const Call& call) const;
  int64_t floats() const { return memory_.total(); }

 private:
  using Buffer = MemoryPlan::Buffer;
  using Operation = std::function<void(const Call&)>;

  struct Size {
    int height = 0, width = 0;
    int64_t pixels() const { return int64_t{height} * width; }
  };
  // A map between operations.
  struct Map {
    Buffer buffer = MemoryPlan::kNone;
    Size size;
  };
  struct Layer {
    std::shared_ptr<kernels::Convolution> convolution;  // shared by layers of one shape
    std::unique_ptr<kernels::BatchNorm> norm;
    Map y;  // what the convolution gives; for training it becomes its own gradient
  };
  // Of its maps a block keeps for backward those of its convolutions.  What batch norm makes of
  // them is made again when backward needs it, to the same bits: cheap beside the memory.  Every
  // other z is kept too, for a block without a downsample makes its z from the one before it.
  struct Block {
    const BlockPlan* plan = nullptr;
    Block* before = nullptr;  // null: behind the stem
    Map z{};
    bool kept = true;  // z, for backward
  };

  void BuildForward();
  void BuildBackward();
  void StemForward();
  void StemBackward(Map dz);
  Block* BlocksForward(const std::vector<BlockPlan>& plans, Block* before);
  void BlockForward(Block& block);
  // Gradient of the block's input, in dz itself or, behind a downsample, in `dx`, to which it is
  // added where `add`.
  Map BlockBackward(Block& block, Map dz, Map dx, bool add);
  void BranchForward(int branch);
  void BranchBackward(int branch, Map dx, bool add);

  Layer& MakeLayer(int number, const kernels::ConvolutionShape& shape);
  void Convolve(int number, Map x);
  void TakeStatistics(int number);
  void WeightGradient(int number, Map x);
  void DataGradient(int number, Map dx, bool add);
  void NormBackward(int number, Map dz);
  void JoinBackward(Block& block, Map dz);

  // Batch norm and rectifier behind a layer, and where a block's path and shortcut join.
  Map Normed(std::vector<Operation>& operations, int number);
  Map Joined(std::vector<Operation>& operations, const Block& block);
  Map MapBefore(const Block& block) const { return block.before ? block.before->z : pooled_; }
  // For backward.
  Map OutputOf(Block& block);

  Map NewMap(int channels, Size size);
  // Adds an operation that uses the buffers, and moves time on.
  void Add(std::vector<Operation>& operations, std::initializer_list<Buffer> buffers,
           Operation operation);
  float* At(const Call& call, Map map) const { return call.memory + memory_.offset(map.buffer); }

  const NetworkPlan plan_;
  const BatchShape batch_;
  const Purpose purpose_;
  const kernels::Isa& isa_;
  const int images_;
  MemoryPlan memory_;
  int moment_ = 0;
  kernels::Scratch scratch_;
  std::vector<Layer> layers_;
  std::unique_ptr<kernels::StemPool> pool_;
  Map framed_, pooled_;
  std::deque<Block> blocks_;  // in order of execution
  Block* trunk_end_ = nullptr;
  std::vector<Block*> branch_ends_;
  std::vector<Operation> forward_, backward_;
};

}  // namespace ltml::engine
