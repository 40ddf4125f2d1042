#pragma once

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <cstdint>

namespace ltml::rpc {

// Largest message either side takes.  A grant of K classes needs about 200 K bytes, a resumed
// hello about 350 K; so this serves well over 100,000 classes.
inline constexpr int kMessageLimitBytes = 64 << 20;

// A connection that carries nothing is probed after kKeepAliveTime and given up kKeepAliveTimeout
// later.  Both lie far above the pauses of a healthy peer: leases, not probes, end attempts.
inline constexpr std::chrono::seconds kKeepAliveTime{30};
inline constexpr std::chrono::seconds kKeepAliveTimeout{20};

// Pauses between attempts to connect grow from the first to the second.
inline constexpr std::chrono::milliseconds kFirstReconnect{50};
inline constexpr std::chrono::milliseconds kLongestReconnect{1000};

// For one attempt to connect, with its TLS handshake.
inline constexpr std::chrono::seconds kConnectLimit{5};

// Arguments of every channel: limits, keep-alive and reconnects as above; no HTTP proxy, since
// ranks and coordinator share a private network.
grpc::ChannelArguments ClientArguments();

// The same for a server, which also accepts the probes of such clients.
void ConfigureServer(grpc::ServerBuilder& builder);

}  // namespace ltml::rpc
