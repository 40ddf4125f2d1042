#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace ltml::dataset {

// Parses JSON texts of foreign files one after the other, reusing its buffers.  Not thread-safe.
class JsonParser {
 public:
  // The element lives until the next call.  Anything but one whole JSON value in UTF-8 is an error.
  simdjson::error_code Parse(std::string_view text, simdjson::dom::element* element);

 private:
  simdjson::dom::parser parser_;
  std::string buffer_;
};

// "not JSON", "not UTF-8", ...: the end of a sentence that begins with "the line is".
std::string_view Describe(simdjson::error_code error);

// "an object", "a number", ...
std::string_view TypeName(const simdjson::dom::element& element);

// Valid UTF-8 without control characters: fit to stand in lists, tables and terminals.
bool IsCleanText(std::string_view text);

// `text` with what is not clean escaped, and cut to a length that fits a message.
std::string Quoted(std::string_view text);

}  // namespace ltml::dataset
