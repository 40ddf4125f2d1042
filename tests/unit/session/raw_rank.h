#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/rpc/channel.h"
#include "ltml/v1/worker_service.grpc.pb.h"

namespace ltml {

// A rank that says what it likes.
class RawRank {
 public:
  explicit RawRank(const std::string& address,
                   std::chrono::seconds limit = std::chrono::seconds(10))
      : stub_(v1::WorkerService::NewStub(grpc::CreateCustomChannel(
            address, grpc::InsecureChannelCredentials(), rpc::ClientArguments()))) {
    context_.set_wait_for_ready(true);
    context_.set_deadline(std::chrono::system_clock::now() + limit);
    stream_ = stub_->Session(&context_);
  }
  bool Write(const v1::WorkerMessage& message) { return stream_->Write(message); }
  // The next message that is not a keep-alive; empty at the end.
  v1::CoordinatorMessage Read() {
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      if (!message.has_keep_alive()) return message;
    }
    return v1::CoordinatorMessage();
  }
  grpc::Status End() {
    stream_->WritesDone();
    while (Read().kind_case() != v1::CoordinatorMessage::KIND_NOT_SET) {
    }
    return stream_->Finish();
  }
  grpc::Status Finish() { return stream_->Finish(); }

 private:
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
};

struct HelloOptions {
  int rank = 0;
  int64_t process_id = 1;
  int64_t epoch = 7;
  int world_size = 3;
  std::string token = "secret";
  std::string job_id = "job-1";
};

inline v1::WorkerMessage HelloOf(const HelloOptions& options) {
  v1::WorkerMessage message;
  message.set_attempt_epoch(options.epoch);
  v1::Hello& hello = *message.mutable_hello();
  hello.set_rank(options.rank);
  hello.set_world_size(options.world_size);
  hello.set_host("here");
  hello.set_process_id(options.process_id);
  hello.set_token(options.token);
  hello.set_job_id(options.job_id);
  return message;
}

inline v1::WorkerMessage MetricsOf(int64_t epoch, int64_t step) {
  v1::WorkerMessage message;
  message.set_attempt_epoch(epoch);
  message.mutable_progress()->mutable_metrics()->set_step(step);
  return message;
}

}  // namespace ltml
