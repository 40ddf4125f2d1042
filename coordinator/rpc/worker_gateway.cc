#include "coordinator/rpc/worker_gateway.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "coordinator/rpc/attempt_registry.h"
#include "coordinator/rpc/door.h"
#include "coordinator/rpc/live_attempt.h"

namespace ltml::coordinator {
namespace {

class Sessions final : public AttemptSessions {
 public:
  Sessions(std::shared_ptr<LiveAttempt> attempt, std::weak_ptr<AttemptRegistry> registry)
      : attempt_(std::move(attempt)), registry_(std::move(registry)) {}
  ~Sessions() override {
    if (const auto registry = registry_.lock()) registry->Remove(attempt_->job_id());
    attempt_->Close();
  }
  void SendCommand(v1::Command::Kind kind) override { attempt_->SendCommand(kind); }
  std::vector<streams::RankView> Ranks() const override { return attempt_->Ranks(); }
  std::optional<v1::Failure> ProtocolFailure() const override {
    return attempt_->ProtocolFailure();
  }
  statistics::DecayedTotals LatestTotals() const override { return attempt_->LatestTotals(); }

 private:
  const std::shared_ptr<LiveAttempt> attempt_;     // shared with its streams
  const std::weak_ptr<AttemptRegistry> registry_;  // of a gateway that may have gone first
};

class Gateway final : public WorkerGateway {
 public:
  Gateway()
      : door_([this](const std::string& job_id) { return registry_->Find(job_id); }),
        registry_(std::make_shared<AttemptRegistry>([this] { door_.EndSilent(); })) {}

  grpc::Service* service() override { return &door_; }
  void Open() override { door_.Open(); }
  absl::StatusOr<std::unique_ptr<AttemptSessions>> Add(AttemptSessionsOptions options) override;
  void EndAll() override;

 private:
  Door door_;
  const std::shared_ptr<AttemptRegistry> registry_;  // shared: sessions leave it when they end
};

absl::StatusOr<std::unique_ptr<AttemptSessions>> Gateway::Add(AttemptSessionsOptions options) {
  LTML_ASSIGN_OR_RETURN(std::shared_ptr<LiveAttempt> attempt,
                        LiveAttempt::Create(std::move(options)));
  LTML_RETURN_IF_ERROR(registry_->Add(attempt));
  return std::make_unique<Sessions>(std::move(attempt), registry_);
}

void Gateway::EndAll() {
  door_.EndAll();
  for (const auto& attempt : registry_->All()) attempt->EndStreams();
}

}  // namespace

std::unique_ptr<WorkerGateway> WorkerGateway::Create() { return std::make_unique<Gateway>(); }

}  // namespace ltml::coordinator
