// fake_worker TASK.json: a rank that follows the script in FAKE_SCRIPT instead of training.  Words:
//   hello            says hello
//   progress N       step N is done
//   evaluated        sends a report
//   fail CAUSE       sends a failure of that number
//   finish N         finished after N steps; "stopped N" by command
//   await            waits for the stop command, sending progress
//   sleep MS, hang, freeze, die, exit N
//   rank N           the words that follow are for rank N only; "rank -1" for all
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>

#include "common/base/proto_json.h"
#include "ltml/v1/run.pb.h"
#include "ltml/v1/worker_service.grpc.pb.h"

namespace ltml {
namespace {

class FakeWorker {
 public:
  explicit FakeWorker(const v1::WorkerTask& task)
      : task_(task),
        rank_(std::atoi(std::getenv("OMPI_COMM_WORLD_RANK"))),
        stub_(v1::WorkerService::NewStub(
            grpc::CreateChannel(task.coordinator(), grpc::InsecureChannelCredentials()))),
        stream_(stub_->Session(&context_)) {}

  void Run(std::istream& script) {
    int only = -1;
    for (std::string word; script >> word;) {
      if (word == "rank") {
        script >> only;
        continue;
      }
      const std::string argument = TakesArgument(word) ? Next(script) : "";
      if (only < 0 || only == rank_) Do(word, argument);
    }
    stream_->WritesDone();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    _exit(0);
  }

 private:
  static bool TakesArgument(const std::string& word) {
    return word == "progress" || word == "fail" || word == "finish" || word == "stopped" ||
           word == "sleep" || word == "exit";
  }
  static std::string Next(std::istream& script) {
    std::string word;
    script >> word;
    return word;
  }

  void Do(const std::string& word, const std::string& argument) {
    v1::WorkerMessage message;
    message.set_attempt_epoch(task_.attempt_epoch());
    if (word == "hello") FillHello(*message.mutable_hello());
    if (word == "progress") FillProgress(std::stol(argument), *message.mutable_progress());
    if (word == "evaluated") message.mutable_evaluation_done()->mutable_report()->set_images(835);
    if (word == "fail") FillFailure(std::stoi(argument), *message.mutable_failure());
    if (word == "finish" || word == "stopped") {
      message.mutable_finished()->set_step(std::stol(argument));
      message.mutable_finished()->set_stopped(word == "stopped");
    }
    if (message.kind_case() != v1::WorkerMessage::KIND_NOT_SET) stream_->Write(message);
    if (word == "await") Await();
    if (word == "sleep") {
      std::this_thread::sleep_for(std::chrono::milliseconds(std::stol(argument)));
    }
    if (word == "hang") std::this_thread::sleep_for(std::chrono::minutes(1));
    if (word == "freeze") ::raise(SIGSTOP);
    if (word == "die") ::raise(SIGKILL);
    if (word == "exit") _exit(std::stoi(argument));
  }

  void Await() {
    v1::CoordinatorMessage message;
    while (stream_->Read(&message)) {
      if (message.has_command() && message.command().kind() == v1::Command::KIND_STOP) return;
    }
    _exit(4);
  }

  void FillHello(v1::Hello& hello) const {
    hello.set_rank(rank_);
    hello.set_world_size(std::atoi(std::getenv("OMPI_COMM_WORLD_SIZE")));
    hello.set_host(fmt::format("host{}", rank_));
    hello.set_process_id(::getpid());
    hello.set_token(std::getenv("LTML_TOKEN"));
    hello.set_job_id(task_.job_id());
  }
  static void FillProgress(int64_t step, v1::Progress& progress) {
    progress.set_phase(v1::PHASE_STEP);
    progress.set_counter(step);
    progress.set_step(step);
    progress.mutable_metrics()->set_step(step);
  }
  void FillFailure(int cause, v1::Failure& failure) const {
    failure.set_cause(static_cast<v1::FailureCause>(cause));
    failure.set_host(fmt::format("host{}", rank_));
    failure.set_message("the script says so");
  }

  const v1::WorkerTask task_;
  const int rank_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
};

}  // namespace
}  // namespace ltml

int main(int count, char** arguments) {
  ltml::v1::WorkerTask task;
  if (count != 2 || !ltml::base::ReadJsonFile(arguments[1], &task).ok()) return 2;
  std::istringstream script(std::getenv("FAKE_SCRIPT"));
  ltml::FakeWorker(task).Run(script);
}
