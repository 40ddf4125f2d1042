#pragma once

#include <string>
#include <string_view>

namespace ltml::base {

// Text of any origin as it may be shown: valid UTF-8 without anything that acts on a terminal, a
// log or a page.  Bytes that are no UTF-8, control characters (C0, DEL, C1), line and paragraph
// separators, and characters that turn the direction of text around become "\xNN", byte by byte.
// All else stays as it is.
std::string Visible(std::string_view text);
// The same line by line: line ends stay.
std::string VisibleLines(std::string_view text);

}  // namespace ltml::base
