#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "absl/status/status.h"

// libjpeg reports an error by longjmp out of the call: every call sits in a lambda run by Guarded,
// and those lambdas own nothing that has a destructor.
namespace ltml::image {

struct JpegErrors {
  jpeg_error_mgr base;  // first, so that a pointer to it is a pointer to the whole
  jmp_buf jump;
  int code;
  char message[JMSG_LENGTH_MAX];
};

inline constexpr int kTooManyScans = -1;  // a code beside libjpeg's own

// Warnings count as errors: they speak of damaged data, but for two that remark on unusual headers.
void InitErrors(JpegErrors* errors);

// Leaves the libjpeg call that is running.
[[noreturn]] void LeaveCall(JpegErrors* errors);

// Runs a libjpeg call; false when it failed and `errors` says why.
template <typename Call>
bool Guarded(JpegErrors* errors, const Call& call) {
  if (setjmp(errors->jump) != 0) return false;
  call();
  return true;
}

// InvalidArgument "<kind>: JPEG, <what libjpeg says>".
absl::Status StatusOf(const JpegErrors& errors);

}  // namespace ltml::image
