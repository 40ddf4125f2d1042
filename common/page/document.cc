#include "common/page/document.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"
#include "common/base/sha256.h"

namespace ltml::page {
namespace {

std::string StyleDigest() {
  const std::string digest = base::Sha256().Update(Style()).HexDigest();
  return absl::Base64Escape(absl::HexStringToBytes(digest));
}

Html Head(const Document& document) {
  Html head =
      Void("meta", {{"charset", "utf-8"}}) +
      Void("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}) +
      Void("meta", {{"name", "color-scheme"}, {"content", "light dark"}}) +
      // Without one, browsers ask for /favicon.ico.
      Void("link", {{"rel", "icon"}, {"href", "data:,"}}) + Element("title", {}, document.title);
  if (document.refresh_seconds > 0) {
    head += Element("noscript", {},
                    Void("meta", {{"http-equiv", "refresh"},
                                  {"content", fmt::format("{}", document.refresh_seconds)}}));
  }
  if (!document.script.empty()) {
    head += Element("script", {{"src", document.script}, {"defer", ""}}, Html());
  }
  return head;
}

}  // namespace

std::string Render(const Document& document) {
  const Html body =
      Link("#main", Html::Text("Skip to the content")) +
      (document.header.empty() ? Html() : Element("header", {{"class", "site"}}, document.header)) +
      Element("main", {{"id", "main"}}, document.main);
  // The style is the one part that is no text of a page.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head>{}<style>{}</style></head><body>{}</body></html>\n",
      Head(document).markup(), Style(), body.markup());
}

std::string ContentSecurityPolicy() {
  static const std::string policy = fmt::format(
      "default-src 'none'; style-src 'sha256-{}'; script-src 'self'; connect-src 'self'; img-src "
      "data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      StyleDigest());
  return policy;
}

}  // namespace ltml::page
