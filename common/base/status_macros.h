#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Early returns for fallible calls.  Both work in functions that return absl::Status or
// absl::StatusOr<T>.
//
//   LTML_RETURN_IF_ERROR(Write(path));
//   LTML_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
#define LTML_RETURN_IF_ERROR(expression)         \
  do {                                           \
    absl::Status ltml_status_ = (expression);    \
    if (!ltml_status_.ok()) return ltml_status_; \
  } while (false)

#define LTML_ASSIGN_OR_RETURN(declaration, expression) \
  LTML_ASSIGN_OR_RETURN_NAMED_(LTML_CONCAT_(ltml_result_, __LINE__), declaration, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define LTML_ASSIGN_OR_RETURN_NAMED_(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) return std::move(result).status();                \
  declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)
#define LTML_CONCAT_(a, b) LTML_CONCAT_INNER_(a, b)
#define LTML_CONCAT_INNER_(a, b) a##b
