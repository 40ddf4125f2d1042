#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "worker/kernels/convolution.h"

// The three passes of convolutions of ResNet-18 at 64 px, 16 images, on OMP_NUM_THREADS threads.
namespace ltml::kernels {
namespace {

enum Pass : int64_t { kForward, kData, kWeights };

// Arguments: pass, channels in and out, size of the map, kernel, stride.
void Convolve(::benchmark::State& state) {
  if (BestIsa() == nullptr) return state.SkipWithError("this processor has no AVX2");
  const auto at = [&](int i) { return static_cast<int>(state.range(i)); };
  constexpr int kImages = 16;
  const ConvolutionShape shape = SquareShape(kImages, at(1), at(2), at(3), at(3), at(4), at(5));
  Scratch scratch;
  Convolution convolution(shape, *BestIsa(), scratch);
  std::vector<float> x(shape.in_floats() + kSlack, 0.5F), dx = x;
  std::vector<float> y(shape.out_floats() + kSlack, 0.5F), w(shape.weights(), 0.1F), dw = w;
  for (auto _ : state) {
    switch (state.range(0)) {
      case kForward:
        convolution.Forward(x.data(), w.data(), y.data());
        break;
      case kData:
        convolution.BackwardData(y.data(), w.data(), dx.data(), false);
        break;
      default:
        convolution.BackwardWeights(x.data(), y.data(), dw.data());
    }
    ::benchmark::ClobberMemory();
  }
  const double operations = 2.0 * static_cast<double>(shape.weights()) * kImages *
                            static_cast<double>(shape.out_pixels());
  state.counters["FLOP/s"] =
      ::benchmark::Counter(operations * static_cast<double>(state.iterations()),
                           ::benchmark::Counter::kIsRate, ::benchmark::Counter::kIs1000);
}

void Layers(::benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"pass", "in", "out", "size", "kernel", "stride"});
  for (const int64_t pass : {kForward, kData, kWeights}) {
    benchmark->Args({pass, 64, 64, 16, 3, 1});
    benchmark->Args({pass, 128, 128, 8, 3, 1});
    benchmark->Args({pass, 256, 256, 4, 3, 1});
    benchmark->Args({pass, 512, 512, 2, 3, 1});
    benchmark->Args({pass, 256, 512, 4, 1, 2});
    // Of ResNet-50 at 224 px.
    benchmark->Args({pass, 64, 64, 56, 3, 1});
    benchmark->Args({pass, 64, 256, 56, 1, 1});
    benchmark->Args({pass, 256, 64, 56, 1, 1});
    benchmark->Args({pass, 128, 128, 28, 3, 1});
    benchmark->Args({pass, 128, 512, 28, 1, 1});
    benchmark->Args({pass, 512, 128, 28, 1, 1});
    benchmark->Args({pass, 256, 256, 14, 3, 1});
    benchmark->Args({pass, 256, 1024, 14, 1, 1});
    benchmark->Args({pass, 1024, 256, 14, 1, 1});
    benchmark->Args({pass, 512, 512, 7, 3, 1});
    benchmark->Args({pass, 512, 2048, 7, 1, 1});
    benchmark->Args({pass, 2048, 512, 7, 1, 1});
  }
}
BENCHMARK(Convolve)->Apply(Layers)->UseRealTime();

}  // namespace
}  // namespace ltml::kernels
