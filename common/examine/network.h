#pragma once

#include <span>
#include <string>

#include "ltml/v1/examination.pb.h"

namespace ltml::examine {

// Every one of `wanted` (names, or networks as in "10.0.0.0/8") is an interface that is up and has
// an IPv4 address; when it is empty, one besides loopback is.
v1::Finding CheckInterfaces(std::span<const std::string> wanted);

// A TCP port on 127.0.0.1 can be taken.
v1::Finding CheckLoopback();

// `address` (HOST:PORT or unix:PATH) takes a connection within 5 s.
v1::Finding CheckConnection(const std::string& subject, const std::string& address);

}  // namespace ltml::examine
