#include "coordinator/rpc/job_api.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/rpc/details.h"
#include "common/run/folder.h"
#include "common/run/run_file.h"
#include "coordinator/jobs/transition.h"
#include "coordinator/rpc/call_context.h"
#include "coordinator/rpc/logs_stream.h"
#include "coordinator/rpc/stream_pump.h"
#include "coordinator/rpc/unary_call.h"
#include "coordinator/rpc/watch_stream.h"
#include "ltml/v1/job_service.grpc.pb.h"
#include "ltml/v1/pool_service.grpc.pb.h"

namespace ltml::coordinator {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using security::Right;

constexpr std::chrono::milliseconds kTick{200};
constexpr std::chrono::seconds kLongestEnd{10};
constexpr int64_t kReportLimitBytes = 32 << 20;

constexpr Method kSubmit{"JobService.Submit", Right::kSubmit, true};
constexpr Method kValidate{"JobService.Validate", Right::kView};
constexpr Method kGet{"JobService.Get", Right::kView};
constexpr Method kList{"JobService.List", Right::kView};
constexpr Method kCancel{"JobService.Cancel", Right::kSubmit, true};
constexpr Method kPause{"JobService.Pause", Right::kSubmit, true};
constexpr Method kResume{"JobService.Resume", Right::kSubmit, true};
constexpr Method kGetReport{"JobService.GetReport", Right::kView};
constexpr Method kGetView{"JobService.GetView", Right::kView};
constexpr Method kListHosts{"PoolService.ListHosts", Right::kView};
constexpr Method kDrain{"PoolService.Drain", Right::kManage, true};
constexpr Method kUndrain{"PoolService.Undrain", Right::kManage, true};
constexpr Method kCheckHosts{"PoolService.CheckHosts", Right::kManage, true};

absl::Status NoReport(const v1::Job& job) {
  const std::string state = jobs::StateName(job.state());
  return rpc::WithPreconditionFailure(
      absl::NotFoundError(fmt::format("{} is {} and has no report; a job has one when its ranks "
                                      "have reached the last step",
                                      job.name(), state)),
      "JOB_STATE", job.name(), fmt::format("got {}, expected SUCCEEDED", state));
}

absl::StatusOr<v1::Report> ReadReport(const v1::Job& job) {
  auto file = run::RunFile::Open(job.run_folder(), run::kReportFile);
  if (absl::IsNotFound(file.status())) return NoReport(job);
  LTML_RETURN_IF_ERROR(file.status());
  LTML_ASSIGN_OR_RETURN(const std::string text, file->Read(0, kReportLimitBytes));
  v1::Report report;
  LTML_RETURN_IF_ERROR(base::FromJson(text, job.name() + "'s report.json", &report));
  return report;
}

// Everything else of a query was checked before: the store can refuse its token alone.
absl::Status ListStatus(const absl::Status& status) {
  if (!absl::IsInvalidArgument(status) || !rpc::FieldViolations(status).empty()) return status;
  return rpc::WithFieldViolations(status, {{"page_token", std::string(status.message())}});
}

class JobServiceImpl final : public v1::JobService::CallbackService {
 public:
  using v1::JobService::CallbackService::Cancel;
  using v1::JobService::CallbackService::Get;
  using v1::JobService::CallbackService::GetReport;
  using v1::JobService::CallbackService::GetView;
  using v1::JobService::CallbackService::List;
  using v1::JobService::CallbackService::Logs;
  using v1::JobService::CallbackService::Pause;
  using v1::JobService::CallbackService::Resume;
  using v1::JobService::CallbackService::Submit;
  using v1::JobService::CallbackService::Validate;
  using v1::JobService::CallbackService::Watch;

  JobServiceImpl(CallEnvironment& environment, StreamPump& pump)
      : environment_(environment), pump_(pump) {}

  ServerUnaryReactor* Submit(CallbackServerContext* context, const v1::SubmitRequest* request,
                             v1::Job* response) override {
    const auto call = UnaryCall::Create(environment_, kSubmit, *context);
    if (call->Begin(*request, "")) {
      manager().Submit(*request, call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* Validate(CallbackServerContext* context, const v1::ValidateRequest* request,
                               v1::ValidateResponse* response) override {
    const auto call = UnaryCall::Create(environment_, kValidate, *context);
    if (call->Begin(*request, "")) {
      *response = manager().Validate(request->spec());
      call->End(absl::OkStatus());
    }
    return call.get();
  }

  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetJobRequest* request,
                          v1::Job* response) override {
    const auto call = UnaryCall::Create(environment_, kGet, *context);
    if (call->Begin(*request, request->name())) {
      call->End(manager().Get(request->name()), response);
    }
    return call.get();
  }

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListJobsRequest* request,
                           v1::ListJobsResponse* response) override {
    const auto call = UnaryCall::Create(environment_, kList, *context);
    if (call->Begin(*request, "")) {
      auto page = manager().List(*request);
      if (page.ok()) {
        response->mutable_jobs()->Assign(std::make_move_iterator(page->jobs.begin()),
                                         std::make_move_iterator(page->jobs.end()));
        response->set_next_page_token(std::move(page->next_page_token));
      }
      call->End(ListStatus(page.status()));
    }
    return call.get();
  }

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(CallbackServerContext* context,
                                                     const v1::WatchRequest* request) override {
    return WatchStream::Start(environment_, pump_, *context, *request);
  }

  grpc::ServerWriteReactor<v1::LogChunk>* Logs(CallbackServerContext* context,
                                               const v1::LogsRequest* request) override {
    return LogsStream::Start(environment_, pump_, *context, *request);
  }

  ServerUnaryReactor* Cancel(CallbackServerContext* context, const v1::CancelRequest* request,
                             v1::Job* response) override {
    const auto call = UnaryCall::Create(environment_, kCancel, *context);
    if (call->Begin(*request, request->name())) {
      manager().Cancel(request->name(), call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* Pause(CallbackServerContext* context, const v1::PauseRequest* request,
                            v1::Job* response) override {
    const auto call = UnaryCall::Create(environment_, kPause, *context);
    if (call->Begin(*request, request->name())) {
      manager().Pause(request->name(), call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* Resume(CallbackServerContext* context, const v1::ResumeRequest* request,
                             v1::Job* response) override {
    const auto call = UnaryCall::Create(environment_, kResume, *context);
    if (call->Begin(*request, request->name())) {
      manager().Resume(request->name(), call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* GetReport(CallbackServerContext* context, const v1::GetReportRequest* request,
                                v1::Report* response) override {
    const auto call = UnaryCall::Create(environment_, kGetReport, *context);
    if (call->Begin(*request, request->name())) {
      const absl::StatusOr<v1::Job> job = manager().Get(request->name());
      call->End(job.ok() ? ReadReport(*job) : job.status(), response);
    }
    return call.get();
  }

  ServerUnaryReactor* GetView(CallbackServerContext* context, const v1::GetViewRequest* request,
                              v1::RunView* response) override {
    const auto call = UnaryCall::Create(environment_, kGetView, *context);
    if (call->Begin(*request, request->name())) {
      call->End(environment_.options.view(request->name()), response);
    }
    return call.get();
  }

 private:
  service::JobManager& manager() { return *environment_.options.manager; }

  CallEnvironment& environment_;
  StreamPump& pump_;
};

class PoolServiceImpl final : public v1::PoolService::CallbackService {
 public:
  using v1::PoolService::CallbackService::CheckHosts;
  using v1::PoolService::CallbackService::Drain;
  using v1::PoolService::CallbackService::ListHosts;
  using v1::PoolService::CallbackService::Undrain;

  explicit PoolServiceImpl(CallEnvironment& environment) : environment_(environment) {}

  ServerUnaryReactor* ListHosts(CallbackServerContext* context, const v1::ListHostsRequest* request,
                                v1::ListHostsResponse* response) override {
    const auto call = UnaryCall::Create(environment_, kListHosts, *context);
    if (call->Begin(*request, "")) {
      for (v1::Host& host : manager().Hosts()) *response->add_hosts() = std::move(host);
      call->End(absl::OkStatus());
    }
    return call.get();
  }

  ServerUnaryReactor* Drain(CallbackServerContext* context, const v1::DrainRequest* request,
                            v1::Host* response) override {
    const auto call = UnaryCall::Create(environment_, kDrain, *context);
    if (call->Begin(*request, request->host())) {
      manager().Drain(*request, call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* Undrain(CallbackServerContext* context, const v1::UndrainRequest* request,
                              v1::Host* response) override {
    const auto call = UnaryCall::Create(environment_, kUndrain, *context);
    if (call->Begin(*request, request->host())) {
      manager().Undrain(request->host(), call->actor(), call->Done(response));
    }
    return call.get();
  }

  ServerUnaryReactor* CheckHosts(CallbackServerContext* context,
                                 const v1::CheckHostsRequest* request,
                                 v1::CheckHostsResponse* response) override {
    const auto call = UnaryCall::Create(environment_, kCheckHosts, *context);
    if (call->Begin(*request, request->hosts_size() == 1 ? request->hosts(0) : "")) {
      environment_.options.examiner->Examine(*request, call->Done(response));
    }
    return call.get();
  }

 private:
  service::JobManager& manager() { return *environment_.options.manager; }

  CallEnvironment& environment_;
};

class Api final : public JobApi {
 public:
  explicit Api(const JobApiOptions& options)
      : environment_(options), pump_(kTick), jobs_(environment_, pump_), pool_(environment_) {}
  ~Api() override {
    EndStreams();
    environment_.calls.AwaitNone(absl::FromChrono(kLongestEnd));
  }

  grpc::Service* job_service() override { return &jobs_; }
  grpc::Service* pool_service() override { return &pool_; }
  void EndStreams() override { pump_.EndAll(); }

 private:
  CallEnvironment environment_;
  StreamPump pump_;
  JobServiceImpl jobs_;
  PoolServiceImpl pool_;
};

}  // namespace

std::unique_ptr<JobApi> JobApi::Create(const JobApiOptions& options) {
  return std::make_unique<Api>(options);
}

}  // namespace ltml::coordinator
