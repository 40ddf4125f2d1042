#include "tests/unit/train/tape.h"

#include <torch/library.h>

#include <algorithm>
#include <utility>

#include "worker/model/torch_status.h"

namespace ltml::train {
namespace {

// A level of dispatch below autograd that LibTorch leaves unused.
constexpr c10::DispatchKey kLevel = c10::DispatchKey::Fake;

struct Recording {
  std::vector<Tape::Call>& calls;
  const int fails_after;
};
thread_local Recording* recording = nullptr;

// What a GPU cannot record: the host looks at a value.
void RefuseLooks(const c10::OperatorHandle& kernel) {
  const std::string& name = kernel.schema().name();
  TORCH_CHECK(
      name != "aten::_local_scalar_dense" && name != "aten::nonzero" && name != "aten::equal", name,
      " waits for the device and cannot be recorded");
}

void Note(const c10::OperatorHandle& kernel, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  RefuseLooks(kernel);
  TORCH_CHECK(recording->fails_after < 0 || std::ssize(recording->calls) < recording->fails_after,
              "the tape is full");
  const auto arguments = static_cast<std::ptrdiff_t>(kernel.schema().arguments().size());
  Tape::Call call{kernel,
                  keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, kLevel),
                  {stack->end() - arguments, stack->end()},
                  {}};
  // Kernels within kernels belong to the outer one.
  const c10::impl::ExcludeDispatchKeyGuard no_more(kLevel);
  kernel.redispatchBoxed(call.keys, stack);
  const auto results = static_cast<std::ptrdiff_t>(kernel.schema().returns().size());
  call.results.assign(stack->end() - results, stack->end());
  recording->calls.push_back(std::move(call));
}

TORCH_LIBRARY_IMPL(_, Fake, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&Note>());
}

std::vector<at::Tensor> TensorsOf(const torch::jit::Stack& values) {
  std::vector<at::Tensor> tensors;
  for (const c10::IValue& value : values) {
    if (value.isTensor() && value.toTensor().defined()) tensors.push_back(value.toTensor());
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) tensors.push_back(tensor);
    }
  }
  return tensors;
}

bool IsViewOfAny(const at::Tensor& result, const std::vector<at::Tensor>& arguments) {
  return std::ranges::any_of(arguments, [&](const at::Tensor& argument) {
    return result.storage().is_alias_of(argument.storage());
  });
}

// A result is memory of its own, or lies in an argument, where it is up to date.
void Repeat(const Tape::Call& call) {
  torch::jit::Stack stack = call.arguments;
  call.kernel.redispatchBoxed(call.keys, &stack);
  const std::vector<at::Tensor> arguments = TensorsOf(call.arguments);
  const std::vector<at::Tensor> first = TensorsOf(call.results), now = TensorsOf(stack);
  for (size_t i = 0; i < first.size(); ++i) {
    if (!IsViewOfAny(first[i], arguments)) first[i].copy_(now[i]);
  }
}

}  // namespace

absl::Status Tape::Record(const std::function<void()>& work) {
  ++records;
  calls_.clear();
  Recording here{calls_, fails_after};
  recording = &here;
  const absl::Status status = model::CatchTorch([&] {
    const c10::impl::IncludeDispatchKeyGuard on(kLevel);
    work();
    return absl::OkStatus();
  });
  recording = nullptr;
  done_once_ = true;
  return status;
}

void Tape::Replay() {
  ++replays;
  if (std::exchange(done_once_, false)) return;
  const at::NoGradGuard no_grad;
  const at::AutoDispatchBelowADInplaceOrView below;
  for (const Call& call : calls_) Repeat(call);
}

}  // namespace ltml::train
