#include "worker/engine/program.h"

#include <algorithm>
#include <utility>

#include "worker/kernels/parallel.h"

namespace ltml::engine {
namespace {

using kernels::ConvolutionShape;

constexpr int kFrame = 3, kColours = 3;

// [3][H][W] to [H + 6][W + 6][3], zero around.
void Frame(const float* images, int count, int height, int width, float* framed) {
  const int64_t row = int64_t{width + 2 * kFrame} * kColours;
  const int64_t plane = int64_t{height} * width;
  kernels::ForEach(int64_t{count} * (height + 2 * kFrame), [&](int64_t i) {
    float* to = framed + i * row;
    std::fill_n(to, row, 0.0f);
    const int64_t image = i / (height + 2 * kFrame), y = i % (height + 2 * kFrame) - kFrame;
    if (y < 0 || y >= height) return;
    to += int64_t{kFrame} * kColours;
    for (int c = 0; c < kColours; ++c) {
      const float* const from = images + (image * kColours + c) * plane + y * width;
      for (int x = 0; x < width; ++x) to[x * kColours + c] = from[x];
    }
  });
}

}  // namespace

Program::Program(const NetworkPlan& plan, const BatchShape& batch, Purpose purpose,
                 const kernels::Isa& isa)
    : plan_(plan),
      batch_(batch),
      purpose_(purpose),
      isa_(isa),
      images_(batch.images()),
      layers_(plan.layers.size()) {
  BuildForward();
  if (purpose == Purpose::kTraining) BuildBackward();
  memory_.Place();
}

void Program::Forward(const Call& call) const {
  for (const Operation& operation : forward_) operation(call);
}

void Program::Backward(const Call& call) const {
  for (const Operation& operation : backward_) operation(call);
}

void Program::Add(std::vector<Operation>& operations, std::initializer_list<Buffer> buffers,
                  Operation operation) {
  for (const Buffer buffer : buffers) {
    if (buffer != MemoryPlan::kNone) memory_.Use(buffer, moment_);
  }
  ++moment_;
  operations.push_back(std::move(operation));
}

Program::Map Program::NewMap(int channels, Size size) {
  return {memory_.Add(images_ * size.pixels() * kernels::PaddedChannels(channels)), size};
}

Program::Layer& Program::MakeLayer(int number, const ConvolutionShape& shape) {
  Layer& layer = layers_[number];
  const auto same = std::ranges::find_if(layers_, [&](const Layer& other) {
    return other.convolution != nullptr && other.convolution->shape() == shape;
  });
  layer.convolution = same != layers_.end()
                          ? same->convolution
                          : std::make_shared<kernels::Convolution>(shape, isa_, scratch_);
  const Size size = {shape.out_height(), shape.out_width()};
  layer.y = NewMap(shape.out_channels, size);
  layer.norm = std::make_unique<kernels::BatchNorm>(
      kernels::NormShape{shape.out_channels, size.pixels(), batch_.groups}, isa_, scratch_);
  return layer;
}

void Program::Convolve(int number, Map x) {
  const LayerShape& shape = plan_.layers[number];
  const Layer& layer = MakeLayer(
      number, kernels::SquareShape(images_, shape.in_channels, shape.out_channels, x.size.height,
                                   x.size.width, shape.kernel, shape.stride));
  Add(forward_, {x.buffer, layer.y.buffer}, [this, number, x](const Call& call) {
    const Layer& mine = layers_[number];
    mine.convolution->Forward(At(call, x), call.layers[number].weight, At(call, mine.y));
  });
  TakeStatistics(number);
}

void Program::TakeStatistics(int number) {
  Add(forward_, {layers_[number].y.buffer}, [this, number](const Call& call) {
    const Layer& mine = layers_[number];
    if (purpose_ == Purpose::kTraining) {
      mine.norm->TakeStatistics(At(call, mine.y), call.layers[number].norm);
    } else {
      mine.norm->UseRunningStatistics(call.layers[number].norm);
    }
  });
}

void Program::StemForward() {
  const auto shape =
      kernels::StemShape(images_, plan_.layers[0].out_channels, batch_.height, batch_.width);
  framed_ = {memory_.Add(shape.in_floats()), {batch_.height, batch_.width}};
  Add(forward_, {framed_.buffer}, [this](const Call& call) {
    Frame(call.images, images_, batch_.height, batch_.width, At(call, framed_));
  });
  const Map y = MakeLayer(0, shape).y;
  Add(forward_, {framed_.buffer, y.buffer}, [this, y](const Call& call) {
    layers_[0].convolution->Forward(At(call, framed_), call.layers[0].weight, At(call, y));
  });
  TakeStatistics(0);
  const kernels::PoolShape pool = {images_, shape.out_channels, y.size.height, y.size.width};
  pool_ = std::make_unique<kernels::StemPool>(pool, isa_);
  pooled_ = NewMap(shape.out_channels, {pool.out_height(), pool.out_width()});
  Add(forward_, {y.buffer, pooled_.buffer}, [this, y](const Call& call) {
    pool_->Forward(At(call, y), *layers_[0].norm, At(call, pooled_));
  });
}

Program::Map Program::Normed(std::vector<Operation>& operations, int number) {
  const Map y = layers_[number].y, a = NewMap(plan_.layers[number].out_channels, y.size);
  Add(operations, {y.buffer, a.buffer}, [this, number, y, a](const Call& call) {
    layers_[number].norm->Forward(At(call, y), {}, At(call, a));
  });
  return a;
}

Program::Map Program::Joined(std::vector<Operation>& operations, const Block& block) {
  const int last = block.plan->path.back(), down = block.plan->downsample;
  const Map y = layers_[last].y, shortcut = down >= 0 ? layers_[down].y : MapBefore(block);
  const Map z = NewMap(plan_.layers[last].out_channels, y.size);
  Add(operations, {y.buffer, shortcut.buffer, z.buffer},
      [this, last, down, y, shortcut, z](const Call& call) {
        const kernels::BatchNorm* const norm = down >= 0 ? layers_[down].norm.get() : nullptr;
        layers_[last].norm->Forward(At(call, y), {At(call, shortcut), norm}, At(call, z));
      });
  return z;
}

void Program::BlockForward(Block& block) {
  const Map x = MapBefore(block);
  Map a = x;
  for (const int number : block.plan->path) {
    Convolve(number, a);
    if (number != block.plan->path.back()) a = Normed(forward_, number);
  }
  if (block.plan->downsample >= 0) Convolve(block.plan->downsample, x);
  block.z = Joined(forward_, block);
}

Program::Block* Program::BlocksForward(const std::vector<BlockPlan>& plans, Block* before) {
  for (const BlockPlan& plan : plans) {
    const bool shortcut_kept = plan.downsample >= 0 || before == nullptr || before->kept;
    before = &blocks_.emplace_back(Block{.plan = &plan, .before = before, .kept = !shortcut_kept});
    BlockForward(*before);
  }
  return before;
}

void Program::BranchForward(int branch) {
  Block* const end = BlocksForward(plan_.branches[branch], trunk_end_);
  branch_ends_.push_back(end);
  Add(forward_, {end->z.buffer}, [this, branch, x = end->z](const Call& call) {
    kernels::MeanPool(At(call, x), images_, x.size.pixels(), plan_.feature_channels(),
                      call.features[branch]);
  });
}

void Program::BuildForward() {
  StemForward();
  trunk_end_ = BlocksForward(plan_.trunk, nullptr);
  for (size_t branch = 0; branch < plan_.branches.size(); ++branch) {
    BranchForward(static_cast<int>(branch));
  }
}

void Program::WeightGradient(int number, Map x) {
  const Map dy = layers_[number].y;
  Add(backward_, {x.buffer, dy.buffer}, [this, number, x, dy](const Call& call) {
    layers_[number].convolution->BackwardWeights(At(call, x), At(call, dy),
                                                 call.gradients[number].weight);
    (*call.done)(number);
  });
}

void Program::DataGradient(int number, Map dx, bool add) {
  const Map dy = layers_[number].y;
  Add(backward_, {dy.buffer, dx.buffer}, [this, number, dx, dy, add](const Call& call) {
    layers_[number].convolution->BackwardData(At(call, dy), call.layers[number].weight,
                                              At(call, dx), add);
  });
}

void Program::NormBackward(int number, Map dz) {
  const Map y = layers_[number].y;
  Add(backward_, {dz.buffer, y.buffer}, [this, number, dz, y](const Call& call) {
    layers_[number].norm->Backward(At(call, dz), nullptr, At(call, y), call.gradients[number].norm);
  });
}

void Program::JoinBackward(Block& block, Map dz) {
  const int last = block.plan->path.back(), down = block.plan->downsample;
  const Map y = layers_[last].y, z = OutputOf(block);
  if (down < 0) {
    Add(backward_, {dz.buffer, z.buffer, y.buffer}, [this, last, dz, z, y](const Call& call) {
      layers_[last].norm->Backward(At(call, dz), At(call, z), At(call, y),
                                   call.gradients[last].norm);
    });
    return;
  }
  const Map x = layers_[down].y;
  Add(backward_, {dz.buffer, z.buffer, y.buffer, x.buffer},
      [this, last, down, dz, z, y, x](const Call& call) {
        const kernels::BatchNorm::Normed shortcut = {At(call, x), layers_[down].norm.get(),
                                                     call.gradients[down].norm};
        layers_[last].norm->Backward(At(call, dz), At(call, z), At(call, y),
                                     call.gradients[last].norm, &shortcut);
      });
}

Program::Map Program::OutputOf(Block& block) {
  if (!block.kept) block.z = Joined(backward_, block);
  block.kept = true;
  return block.z;
}

Program::Map Program::BlockBackward(Block& block, Map dz, Map dx, bool add) {
  const BlockPlan& plan = *block.plan;
  JoinBackward(block, dz);
  const Map x = block.before != nullptr ? OutputOf(*block.before) : pooled_;
  if (plan.downsample >= 0) WeightGradient(plan.downsample, x);
  for (size_t i = plan.path.size() - 1; i > 0; --i) {
    const Map a = Normed(backward_, plan.path[i - 1]);
    WeightGradient(plan.path[i], a);
    const Map da = NewMap(plan_.layers[plan.path[i]].in_channels, a.size);
    DataGradient(plan.path[i], da, false);
    NormBackward(plan.path[i - 1], da);
  }
  WeightGradient(plan.path[0], x);
  if (plan.downsample < 0) {
    DataGradient(plan.path[0], dz, true);
    return dz;
  }
  DataGradient(plan.downsample, dx, add);
  DataGradient(plan.path[0], dx, true);
  return dx;
}

void Program::BranchBackward(int branch, Map dx, bool add) {
  Block* block = branch_ends_[branch];
  Map dz = NewMap(plan_.feature_channels(), block->z.size);
  Add(backward_, {dz.buffer}, [this, branch, dz](const Call& call) {
    kernels::MeanPoolBackward(call.feature_gradients[branch], images_, dz.size.pixels(),
                              plan_.feature_channels(), At(call, dz));
  });
  for (; block != trunk_end_; block = block->before) dz = BlockBackward(*block, dz, dx, add);
}

void Program::StemBackward(Map dz) {
  const Map y = layers_[0].y;
  const Map g = NewMap(plan_.layers[0].out_channels, y.size);
  Add(backward_, {dz.buffer, g.buffer},
      [this, dz, g](const Call& call) { pool_->Backward(At(call, dz), At(call, g)); });
  NormBackward(0, g);
  WeightGradient(0, framed_);
}

void Program::BuildBackward() {
  const int channels = plan_.layers[trunk_end_->plan->path.back()].out_channels;
  Map dz = NewMap(channels, trunk_end_->z.size);
  for (size_t branch = branch_ends_.size(); branch-- > 0;) {
    BranchBackward(static_cast<int>(branch), dz, branch + 1 < branch_ends_.size());
  }
  for (Block* block = trunk_end_; block != nullptr; block = block->before) {
    const int in = plan_.layers[block->plan->path.front()].in_channels;
    const Map dx = block->plan->downsample < 0 ? dz : NewMap(in, MapBefore(*block).size);
    dz = BlockBackward(*block, dz, dx, false);
  }
  StemBackward(dz);
}

}  // namespace ltml::engine
