#pragma once

#include <string>
#include <string_view>

#include "common/page/html.h"

namespace ltml::page {

struct Document {
  std::string title;
  Html header;  // beside the title of the site: navigation
  Html main;
  std::string script;       // address of a script; empty: none
  int refresh_seconds = 0;  // for readers without scripts; 0: never
};

// A whole page in UTF-8, with its style inside: nothing is loaded but `script`.
std::string Render(const Document& document);

// What a server says of such a page: nothing may be loaded or run but the style (by its digest) and
// scripts of the server itself.
std::string ContentSecurityPolicy();

// The style of all pages: light, dark, paper; narrow screens.
std::string_view Style();

}  // namespace ltml::page
