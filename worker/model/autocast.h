#pragma once

#include <ATen/core/Tensor.h>

namespace ltml::model {

// Within its life, this thread runs the operators that gain from it (convolutions above all) in
// bfloat16 on devices of one type.  Not nested.
class Autocast {
 public:
  explicit Autocast(at::DeviceType device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  const at::DeviceType device_;
};

}  // namespace ltml::model
