#pragma once

#include <cstdint>
#include <vector>

namespace ltml::image {

// One axis of a resize: the samples under [begin, end) of `in_size` become `out_size`; wanted are
// the outputs [out_begin, out_end).
struct Axis {
  int in_size = 0;
  double begin = 0, end = 0;  // 0 <= begin < end <= in_size
  int out_size = 0, out_begin = 0, out_end = 0;
};

// Weights of each wanted output in fixed point: output i is the sum over j < counts[i] of
// weights[i * stride + j] * input[starts[i] + j], rounded and shifted right by `precision`, which
// is at least 14. Weights behind the counts are 0, up to a stride that is a multiple of 4.
//   w(j) = max(0, 1 - |j + 1/2 - centre| / max(scale, 1)), cut at the borders of [begin, end), with
//   a sum of 1:
// the triangle of torchvision and Pillow, widened when shrinking.
class Filter {
 public:
  // Replaces the weights; memory is reused.
  void Make(const Axis& axis);

  int outputs() const { return static_cast<int>(starts_.size()); }
  int precision() const { return precision_; }
  int start(int i) const { return starts_[i]; }
  int count(int i) const { return counts_[i]; }
  const int16_t* weights(int i) const { return weights_.data() + std::ptrdiff_t{1} * i * stride_; }
  // The input samples [first, last) are all that is read.
  int first() const { return starts_.front(); }
  int last() const { return starts_.back() + counts_.back(); }

 private:
  int stride_ = 0;
  int precision_ = 0;
  std::vector<int> starts_, counts_;
  std::vector<double> exact_;
  std::vector<int16_t> weights_;
};

}  // namespace ltml::image
