#include "worker/model/torch_status.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace ltml::model {
namespace {

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

absl::Status OutOfMemory(std::string_view reason) {
  return absl::ResourceExhaustedError(
      fmt::format("out of memory: {}; use a smaller global_batch, image_size or network, or more "
                  "ranks on other hosts",
                  FirstLine(reason)));
}

absl::Status Failed(std::string_view reason) {
  // The CPU allocator reports a failed allocation as a plain error.
  if (reason.find("not enough memory") != std::string_view::npos) return OutOfMemory(reason);
  return absl::InternalError(fmt::format("tensor library: {}", FirstLine(reason)));
}

}  // namespace

absl::Status StatusOfException() {
  try {
    throw;
  } catch (const std::bad_alloc& error) {
    return OutOfMemory(error.what());
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace());
  } catch (const c10::Error& error) {
    return Failed(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Failed(error.what());
  } catch (...) {
    return absl::InternalError("tensor library: an exception of unknown type");
  }
}

}  // namespace ltml::model
