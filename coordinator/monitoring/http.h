#pragma once

#include <functional>
#include <map>
#include <string>

namespace ltml::monitoring {

struct HttpRequest {
  std::string path = "/";                         // decoded, without "." and ".."
  std::map<std::string, std::string> query = {};  // decoded; of a repeated name the last
  std::string host = "";                          // header Host
  std::string authorization = "";                 // header Authorization
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = "";
  bool challenge = false;  // asks a browser for name and token
};

// Answers GET and HEAD.  Called from several threads at once.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// "a=1&b=x%20y".
std::map<std::string, std::string> ParseQuery(const std::string& text);

}  // namespace ltml::monitoring
