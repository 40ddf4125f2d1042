#pragma once

#include <string>

#include "ltml/v1/examination.pb.h"

namespace ltml::examine {

// A finding about `subject`; `text` says what was found and `cure` what to do.
v1::Finding Ok(std::string subject, std::string text);
v1::Finding Note(std::string subject, std::string text, std::string cure);
v1::Finding Warning(std::string subject, std::string text, std::string cure);
v1::Finding Fault(std::string subject, std::string text, std::string cure);

}  // namespace ltml::examine
