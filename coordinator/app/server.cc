#include "coordinator/app/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/rpc/channel.h"
#include "common/rpc/credentials.h"
#include "coordinator/app/job_data.h"
#include "coordinator/app/pool_examiner.h"
#include "coordinator/app/service_runner.h"
#include "coordinator/jobs/timed_store.h"
#include "coordinator/monitoring/http_server.h"
#include "coordinator/monitoring/process_facts.h"
#include "coordinator/monitoring/site.h"
#include "coordinator/monitoring/views.h"
#include "coordinator/rpc/call_meter.h"
#include "coordinator/rpc/job_api.h"
#include "coordinator/rpc/malformed_requests.h"
#include "coordinator/security/audit_file.h"
#include "coordinator/store/sqlite_store.h"

namespace ltml::coordinator {
namespace {

// For calls under way when the server ends.
constexpr std::chrono::seconds kEndLimit(3);
constexpr int kMetadataLimitBytes = 16 << 10;

absl::StatusOr<rpc::TlsFiles> ReadTls(const v1::ServerTls& tls) {
  rpc::TlsFiles files;
  LTML_ASSIGN_OR_RETURN(files.certificate, base::ReadFile(tls.certificate()));
  LTML_ASSIGN_OR_RETURN(files.key, base::ReadFile(tls.key()));
  LTML_ASSIGN_OR_RETURN(files.authority, base::ReadFile(tls.authority()));
  return files;
}

// `address` with the port that was taken for port 0.
std::string WithPort(const std::string& address, int port) {
  const size_t colon = address.rfind(':');
  if (address.starts_with("unix:") || colon == std::string::npos) return address;
  return fmt::format("{}:{}", address.substr(0, colon), port);
}

class LiveServer final : public Server {
 public:
  explicit LiveServer(const v1::ServerConfig& config) : config_(config) {}
  ~LiveServer() override;

  absl::Status Start();
  const std::string& address() const override { return address_; }
  const std::string& http_address() const override { return http_address_; }

 private:
  absl::Status OpenStore();
  absl::Status Identify();
  absl::Status StartManager();
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials() const;
  absl::Status Listen();
  monitoring::ServerFacts Facts() const;
  absl::Status ServeHttp();

  const v1::ServerConfig config_;
  std::string address_, http_address_;
  std::atomic<bool> ready_ = false;
  rpc::TlsFiles tls_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<jobs::TimedStore> timed_store_;
  CallMeter calls_;
  std::optional<security::Directory> directory_;
  std::unique_ptr<security::RateLimit> limit_;
  std::unique_ptr<security::AuditLog> audit_;
  std::unique_ptr<JobData> data_;
  std::unique_ptr<WorkerGateway> gateway_;
  std::unique_ptr<ServiceRunner> runner_;
  std::unique_ptr<service::JobManager> manager_;
  std::unique_ptr<PoolExaminer> examiner_;
  std::unique_ptr<monitoring::Views> views_;
  std::unique_ptr<JobApi> api_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<monitoring::Gate> gate_;
  std::unique_ptr<monitoring::Scrape> scrape_;
  std::unique_ptr<monitoring::Site> site_;
  std::unique_ptr<monitoring::HttpServer> http_;
};

absl::Status LiveServer::OpenStore() {
  const v1::ServerPaths& paths = config_.paths();
  LTML_RETURN_IF_ERROR(base::MakeFolder(paths.store()));
  LTML_RETURN_IF_ERROR(base::MakeFolder(paths.runs()));
  LTML_ASSIGN_OR_RETURN(store_, store::SqliteStore::Open({.folder = paths.store()}));
  timed_store_ = std::make_unique<jobs::TimedStore>(*store_);
  return absl::OkStatus();
}

absl::Status LiveServer::Identify() {
  LTML_ASSIGN_OR_RETURN(directory_, security::Directory::Create(config_));
  if (!config_.insecure()) {
    LTML_ASSIGN_OR_RETURN(tls_, ReadTls(config_.tls()));
  }
  const v1::ServerLimits& limits = config_.limits();
  limit_ = std::make_unique<security::RateLimit>(limits.requests_per_second(),
                                                 limits.streams_per_user());
  LTML_ASSIGN_OR_RETURN(
      audit_,
      security::OpenAuditFile(std::filesystem::path(config_.paths().store()) / "audit.jsonl"));
  return absl::OkStatus();
}

absl::Status LiveServer::StartManager() {
  const auto& roots = config_.paths().data();
  data_ = std::make_unique<JobData>(std::vector<std::filesystem::path>(roots.begin(), roots.end()));
  gateway_ = WorkerGateway::Create();
  runner_ = ServiceRunner::Create({.config = config_,
                                   .gateway = gateway_.get(),
                                   .store = timed_store_.get(),
                                   .authority = tls_.authority});
  service::JobManagerOptions options;
  options.config = config_;
  options.store = timed_store_.get();
  options.runner = runner_.get();
  options.inspect = [this](const v1::JobSpec& spec, std::vector<v1::FieldViolation>* violations) {
    return data_->Inspect(spec, violations);
  };
  options.prepare_run = [this](const v1::Job& job) { return data_->PrepareRun(job); };
  LTML_ASSIGN_OR_RETURN(manager_, service::JobManager::Start(std::move(options)));
  gateway_->Open();
  examiner_ = PoolExaminer::Create(config_);
  views_ = std::make_unique<monitoring::Views>(*manager_);
  api_ = JobApi::Create({.manager = manager_.get(),
                         .directory = &*directory_,
                         .limit = limit_.get(),
                         .audit = audit_.get(),
                         .examiner = examiner_.get(),
                         .insecure = config_.insecure(),
                         .view = [this](const std::string& job) { return views_->Of(job); }});
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> LiveServer::Credentials() const {
  if (config_.insecure()) return grpc::InsecureServerCredentials();
  auto credentials = rpc::ServerCredentials(tls_);
  if (credentials.ok()) return credentials;
  return absl::Status(
      credentials.status().code(),
      fmt::format("{} (`ltmld renew` makes one)", std::string(credentials.status().message())));
}

absl::Status LiveServer::Listen() {
  static std::once_flag plugins;
  std::call_once(plugins, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  LTML_ASSIGN_OR_RETURN(const auto credentials, Credentials());
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  // Two servers on one port would each get a part of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataLimitBytes);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(ExplainMalformedRequests());
  interceptors.push_back(calls_.Interceptors());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  int port = 0;
  builder.AddListeningPort(config_.listen(), credentials, &port);
  builder.RegisterService(gateway_->service());
  builder.RegisterService(api_->job_service());
  builder.RegisterService(api_->pool_service());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}: the address is taken, or is none of this machine; end "
                    "the other program, or change `listen` in ltmld.toml",
                    config_.listen()));
  }
  address_ = WithPort(config_.listen(), port);
  return absl::OkStatus();
}

monitoring::ServerFacts LiveServer::Facts() const {
  monitoring::ServerFacts facts = monitoring::ReadProcess(
      {{"store", config_.paths().store()}, {"runs", config_.paths().runs()}});
  facts.version = base::Version();
  facts.log_lines_dropped = base::DroppedLogLines();
  const jobs::TimedStore::Measured store = timed_store_->measured();
  facts.commits = store.commits;
  facts.store_errors = store.errors;
  for (const auto& [name, calls] : calls_.table()) {
    facts.calls.push_back({.service = name.first,
                           .method = name.second,
                           .by_code = calls.by_code,
                           .durations = calls.durations});
  }
  return facts;
}

absl::Status LiveServer::ServeHttp() {
  if (config_.http().empty()) return absl::OkStatus();
  const bool loopback = base::IsLocal(base::ParseAddress(config_.http()).value_or(base::Address()));
  gate_.emplace(*directory_, loopback);
  scrape_ = std::make_unique<monitoring::Scrape>(
      monitoring::ScrapeOptions{.manager = manager_.get(),
                                .class_series = config_.monitoring().class_series(),
                                .server = [this] { return Facts(); }});
  site_ = std::make_unique<monitoring::Site>(
      monitoring::SiteOptions{.manager = manager_.get(),
                              .views = views_.get(),
                              .scrape = scrape_.get(),
                              .gate = &*gate_,
                              .ready = [this] { return ready_.load(); }});
  LTML_ASSIGN_OR_RETURN(
      http_, monitoring::HttpServer::Start(
                 {.address = config_.http(),
                  .certificate = loopback ? "" : config_.tls().certificate(),
                  .key = loopback ? "" : config_.tls().key(),
                  .handler = [this](const auto& request) { return site_->Answer(request); }}));
  http_address_ = http_->address();
  return absl::OkStatus();
}

absl::Status LiveServer::Start() {
  LTML_RETURN_IF_ERROR(OpenStore());
  LTML_RETURN_IF_ERROR(Identify());
  LTML_RETURN_IF_ERROR(StartManager());
  LTML_RETURN_IF_ERROR(ServeHttp());
  LTML_RETURN_IF_ERROR(Listen());
  server_->GetHealthCheckService()->SetServingStatus(false);
  const std::string& told = config_.advertise().empty() ? address_ : config_.advertise();
  runner_->SetAddress(told);
  examiner_->SetAddress(told);
  manager_->Open();
  server_->GetHealthCheckService()->SetServingStatus(true);
  ready_ = true;
  return absl::OkStatus();
}

LiveServer::~LiveServer() {
  ready_ = false;
  if (server_ != nullptr) server_->GetHealthCheckService()->SetServingStatus(false);
  if (api_ != nullptr) api_->EndStreams();
  if (examiner_ != nullptr) examiner_->End();
  if (gateway_ != nullptr) gateway_->EndAll();
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + kEndLimit);
    server_->Wait();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const v1::ServerConfig& config) {
  auto server = std::make_unique<LiveServer>(config);
  LTML_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace ltml::coordinator
