#include "common/image/jpeg_errors.h"

#include <jerror.h>

#include "fmt/format.h"

namespace ltml::image {
namespace {

[[noreturn]] void OnError(j_common_ptr common) {
  auto* errors = reinterpret_cast<JpegErrors*>(common->err);
  errors->code = common->err->msg_code;
  common->err->format_message(common, errors->message);
  LeaveCall(errors);
}

void OnMessage(j_common_ptr common, int level) {
  const int code = common->err->msg_code;
  if (level < 0 && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) OnError(common);
}

const char* KindOf(int code) {
  switch (code) {
    case kTooManyScans:
      return "too many scans";
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
      return "truncated";
    case JERR_IMAGE_TOO_BIG:
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
    case JERR_WIDTH_OVERFLOW:
      return "too large";
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
      return "unsupported";
    default:
      return "malformed";
  }
}

}  // namespace

void InitErrors(JpegErrors* errors) {
  jpeg_std_error(&errors->base);
  errors->base.error_exit = OnError;
  errors->base.emit_message = OnMessage;
  errors->code = 0;
  errors->message[0] = '\0';
}

void LeaveCall(JpegErrors* errors) { longjmp(errors->jump, 1); }

absl::Status StatusOf(const JpegErrors& errors) {
  return absl::InvalidArgumentError(
      fmt::format("{}: JPEG, {}", KindOf(errors.code), errors.message));
}

}  // namespace ltml::image
