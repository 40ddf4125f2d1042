#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/safetensors/safetensors.h"
#include "worker/model/network.h"

namespace ltml::model {

// Tensors laid out as files and digests want them: contiguous, in host memory.  Those that lie so
// already are shared, not copied.  Types: float32, float64, float16, bfloat16, int64, int32, uint8,
// bool; others throw c10::Error.
class HostTensors {
 public:
  explicit HostTensors(const std::vector<NamedTensor>& tensors);
  // Valid as long as this object, and current only until the tensors change.
  const std::vector<safetensors::TensorView>& views() const { return views_; }

 private:
  std::vector<at::Tensor> kept_;
  std::vector<safetensors::TensorView> views_;
};

struct CopyRules {
  // Floating-point types are converted into each other; otherwise types must be equal.
  bool convert = false;
  // Names in the file that nobody asks for and that are no fault; may be empty.
  std::function<bool(std::string_view)> ignore;
};

// Copies tensors of a file into `destinations` in place, by name; several may have the same name.
// InvalidArgument begins with `where` and names every missing, extra or misshaped tensor; nothing
// is copied then.
absl::Status CopyByName(const safetensors::File& file, std::string_view where,
                        const std::vector<NamedTensor>& destinations, const CopyRules& rules);

}  // namespace ltml::model
