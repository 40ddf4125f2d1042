#include "fixture.h"

#include <grpc/grpc.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/rpc/channel.h"
#include "coordinator/rpc/malformed_requests.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::seconds kLongestCall{30};

v1::ServerConfig Users() {
  v1::ServerConfig config;
  config.set_insecure(true);
  const auto add = [&](const char* name, security::Role role) {
    v1::ServerUser& user = *config.add_users();
    user.set_name(name);
    user.set_role(role);
    user.set_token_sha256(absl::BytesToHexString(base::TokenDigest(name)));
  };
  add("viewer", v1::ServerUser::ROLE_VIEWER);
  add("submitter", v1::ServerUser::ROLE_SUBMITTER);
  add("admin", v1::ServerUser::ROLE_ADMIN);
  return config;
}

}  // namespace

Call::Call(const std::string& user, const std::string& request_id) {
  set_deadline(std::chrono::system_clock::now() + kLongestCall);
  if (!user.empty()) AddMetadata("authorization", "Bearer " + user);
  if (!request_id.empty()) AddMetadata("x-request-id", request_id);
}

std::string Call::trailing(const std::string& key) const {
  const auto found = GetServerTrailingMetadata().find(key);
  if (found == GetServerTrailingMetadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

std::vector<std::string> BadFields(const grpc::Status& status) {
  std::vector<std::string> fields;
  const auto bad = DetailOf<google::rpc::BadRequest>(status);
  if (!bad.has_value()) return fields;
  for (const auto& violation : bad->field_violations()) fields.push_back(violation.field());
  return fields;
}

bool WaitUntil(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

ApiTest::ApiTest() {
  // Keeps gRPC from being shut down between tests, which may wait 10 s for its own poller.
  static const int initialized = (grpc_init(), 1);
  static_cast<void>(initialized);
  Serve(10000, 100);
}

void ApiTest::Serve(double requests_per_second, int streams_per_user) {
  Stop();
  directory_ = std::make_unique<security::Directory>(*security::Directory::Create(Users()));
  limit_ = std::make_unique<security::RateLimit>(requests_per_second, streams_per_user);
  api_ = JobApi::Create({.manager = &manager_,
                         .directory = directory_.get(),
                         .limit = limit_.get(),
                         .audit = &audit_,
                         .examiner = &examiner_,
                         .insecure = true,
                         .view = [this](const std::string& job) -> absl::StatusOr<v1::RunView> {
                           v1::RunView view;
                           LTML_ASSIGN_OR_RETURN(*view.mutable_job(), manager_.Get(job));
                           return view;
                         }});
  const std::string address = "unix:" + (folder_.path() / "socket").string();
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(api_->job_service());
  builder.RegisterService(api_->pool_service());
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(ExplainMalformedRequests());
  interceptors.push_back(meter_.Interceptors());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  server_ = builder.BuildAndStart();
  channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                       rpc::ClientArguments());
  jobs_ = v1::JobService::NewStub(channel_);
  pool_ = v1::PoolService::NewStub(channel_);
}

void ApiTest::Stop() {
  if (server_ == nullptr) return;
  api_->EndStreams();
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server_->Wait();
  server_.reset();
  api_.reset();
}

v1::Job ApiTest::Job(const std::string& name, v1::JobState state) {
  v1::Job job;
  job.set_name(name);
  job.set_state(state);
  job.mutable_spec()->mutable_resources()->set_ranks(2);
  job.set_run_folder(RunFolder().string());
  return job;
}

}  // namespace ltml::coordinator
