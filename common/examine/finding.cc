#include "common/examine/finding.h"

#include <utility>

namespace ltml::examine {
namespace {

v1::Finding Make(v1::Finding::Grade grade, std::string subject, std::string text,
                 std::string cure) {
  v1::Finding finding;
  finding.set_grade(grade);
  finding.set_subject(std::move(subject));
  finding.set_text(std::move(text));
  finding.set_cure(std::move(cure));
  return finding;
}

}  // namespace

v1::Finding Ok(std::string subject, std::string text) {
  return Make(v1::Finding::GRADE_OK, std::move(subject), std::move(text), "");
}
v1::Finding Note(std::string subject, std::string text, std::string cure) {
  return Make(v1::Finding::GRADE_NOTE, std::move(subject), std::move(text), std::move(cure));
}
v1::Finding Warning(std::string subject, std::string text, std::string cure) {
  return Make(v1::Finding::GRADE_WARNING, std::move(subject), std::move(text), std::move(cure));
}
v1::Finding Fault(std::string subject, std::string text, std::string cure) {
  return Make(v1::Finding::GRADE_FAULT, std::move(subject), std::move(text), std::move(cure));
}

}  // namespace ltml::examine
