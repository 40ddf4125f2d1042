#include "coordinator/app/pool_examiner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/lane.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "common/base/version.h"
#include "common/examine/finding.h"
#include "common/examine/programs.h"
#include "common/rpc/details.h"
#include "coordinator/launch/hosts.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/remote_command.h"

namespace ltml::coordinator {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kLimit(20);
constexpr std::chrono::seconds kComeBackAfter(5);
// Certificates begin five minutes before they are made.
constexpr double kClockWarning = 5, kClockFault = 300;
// Of a shell that does not find, or may not run, a program.
constexpr int kNotRunnable = 126, kNotThere = 127;
constexpr size_t kShown = 500;

std::string Shown(const std::string& text) { return base::LogValue(text.substr(0, kShown)); }

std::string LastLine(std::string text) {
  text.erase(text.find_last_not_of(" \r\n") + 1);
  return text.substr(text.find_last_of('\n') + 1);
}

v1::Finding NoAnswer(const HostReply& reply) {
  const launch::HostAnswer& answer = reply.answer;
  std::string text(answer.status.message());
  if (!answer.said.empty()) text += ": " + Shown(answer.said);
  if (answer.exit_status == kNotThere || answer.exit_status == kNotRunnable) {
    return examine::Fault("programs", text,
                          fmt::format("install ltml as {} on all hosts, or name its folder in "
                                      "paths.programs",
                                      reply.supervisor));
  }
  if (!reply.remote) return examine::Fault("agent", text, "look at the server's own log");
  return examine::Fault("agent", text,
                        fmt::format("this must answer without a password, as the user of ltmld: "
                                    "{} -- {} true",
                                    fmt::join(reply.agent, " "), answer.address));
}

v1::Finding Answered(const HostReply& reply) {
  if (!reply.remote) return examine::Ok("agent", "not needed on the server's own machine");
  return examine::Ok("agent",
                     fmt::format("{} answers in {:.1f} s", reply.agent.front(),
                                 std::chrono::duration<double>(reply.answer.time).count()));
}

// The host looked at its clock between the question and its answer.
v1::Finding CheckClock(const HostReply& reply, int64_t clock) {
  const int64_t asked = reply.asked_unix_milliseconds;
  const int64_t answered =
      asked + std::chrono::duration_cast<milliseconds>(reply.answer.time).count();
  const int64_t off = clock < asked ? clock - asked : std::max<int64_t>(clock - answered, 0);
  const double seconds = static_cast<double>(std::abs(off)) / 1000;
  if (seconds <= kClockWarning) return examine::Ok("clock", "as the server's");
  const std::string text =
      fmt::format("{:.0f} s {} the server's", seconds, off < 0 ? "behind" : "ahead of");
  constexpr char kCure[] = "let both follow a time server";
  return seconds > kClockFault
             ? examine::Fault("clock", text + ": certificates may not be valid", kCure)
             : examine::Warning("clock", text, kCure);
}

// A file below `runs` with a text that nobody else knows, for as long as this lives.
class Marker {
 public:
  static absl::StatusOr<std::unique_ptr<Marker>> Write(const fs::path& runs) {
    std::unique_ptr<Marker> marker(new Marker(runs));
    LTML_RETURN_IF_ERROR(base::WriteFileAtomically(marker->file_, marker->text_));
    return marker;
  }
  ~Marker() {
    std::error_code ignored;
    fs::remove(file_, ignored);
  }
  Marker(const Marker&) = delete;
  Marker& operator=(const Marker&) = delete;

  const fs::path& file() const { return file_; }
  const std::string& text() const { return text_; }

 private:
  explicit Marker(const fs::path& runs)
      : text_(base::RandomToken()), file_(runs / fmt::format(".examination-{}", text_)) {}

  const std::string text_;
  const fs::path file_;
};

class Examiner final : public PoolExaminer {
 public:
  explicit Examiner(const v1::ServerConfig& config) : config_(config) {}
  ~Examiner() override { End(); }

  void SetAddress(const std::string& address) override { address_ = address; }
  void End() override { abandoned_ = true; }
  void Examine(const v1::CheckHostsRequest& request, Done done) override;

 private:
  absl::StatusOr<std::vector<v1::ServerHost>> Chosen(const v1::CheckHostsRequest& request) const;
  absl::StatusOr<v1::CheckHostsResponse> Run(const std::vector<v1::ServerHost>& hosts) const;
  v1::HostQuestion Question(const Marker& marker) const;

  const v1::ServerConfig config_;
  std::string address_;
  std::atomic<bool> busy_ = false;
  std::atomic<bool> abandoned_ = false;
  base::Lane lane_;  // first to end
};

absl::StatusOr<std::vector<v1::ServerHost>> Examiner::Chosen(
    const v1::CheckHostsRequest& request) const {
  if (request.hosts().empty()) return std::vector(config_.hosts().begin(), config_.hosts().end());
  std::vector<v1::ServerHost> chosen;
  for (const std::string& name : request.hosts()) {
    const auto host = std::ranges::find(config_.hosts(), name, &v1::ServerHost::name);
    if (host == config_.hosts().end()) {
      return absl::NotFoundError(
          fmt::format("there is no host '{}'; `ltml hosts` lists them", name));
    }
    chosen.push_back(*host);
  }
  return chosen;
}

v1::HostQuestion Examiner::Question(const Marker& marker) const {
  v1::HostQuestion question;
  question.set_version(base::Version());
  question.set_open_mpi_version(examine::OpenMpiVersion());
  question.set_runs(config_.paths().runs());
  question.set_marker_file(marker.file().string());
  question.set_marker(marker.text());
  *question.mutable_data() = config_.paths().data();
  *question.mutable_interfaces() = config_.launch().interfaces();
  question.set_server(address_);
  return question;
}

absl::StatusOr<v1::CheckHostsResponse> Examiner::Run(
    const std::vector<v1::ServerHost>& hosts) const {
  LTML_ASSIGN_OR_RETURN(const auto marker, Marker::Write(config_.paths().runs()));
  LTML_ASSIGN_OR_RETURN(const std::string question, base::ToJson(Question(*marker), true));
  LTML_ASSIGN_OR_RETURN(const fs::path programs, launch::ProgramFolder(config_.paths().programs()));
  const std::string supervisor = (programs / "ltml-supervisor").string();
  std::vector<launch::TargetHost> targets;
  for (const v1::ServerHost& host : hosts) {
    const std::string& address = host.address().empty() ? host.name() : host.address();
    targets.push_back({.address = address, .remote = !launch::IsThisMachine(address)});
  }
  const std::vector<std::string> agent(config_.launch().agent().begin(),
                                       config_.launch().agent().end());
  const int64_t asked = base::UnixMilliseconds();
  std::vector<launch::HostAnswer> answers = launch::RunOnHosts(
      targets, {.agent = agent,
                .command = launch::ExamineCommand(supervisor, question, base::OwnEnvironment()),
                .limit = kLimit,
                .abandoned = &abandoned_});
  v1::CheckHostsResponse response;
  for (size_t i = 0; i < answers.size(); ++i) {
    const HostReply reply{.host = hosts[i].name(),
                          .remote = targets[i].remote,
                          .agent = agent,
                          .supervisor = supervisor,
                          .asked_unix_milliseconds = asked,
                          .answer = std::move(answers[i])};
    for (v1::Finding& finding : FindingsOf(reply)) *response.add_findings() = std::move(finding);
  }
  return response;
}

void Examiner::Examine(const v1::CheckHostsRequest& request, Done done) {
  auto hosts = Chosen(request);
  if (!hosts.ok()) return done(hosts.status());
  if (busy_.exchange(true)) {
    return done(rpc::WithRetryAfter(
        rpc::WithErrorInfo(
            absl::ResourceExhaustedError("another examination of the hosts is under way"),
            "EXAMINATION_UNDER_WAY"),
        kComeBackAfter));
  }
  lane_.Post([this, hosts = *std::move(hosts), done = std::move(done)] {
    absl::StatusOr<v1::CheckHostsResponse> response = Run(hosts);
    busy_ = false;
    if (abandoned_) response = absl::UnavailableError("the server ends; ask again");
    done(std::move(response));
  });
}

}  // namespace

std::vector<v1::Finding> FindingsOf(const HostReply& reply) {
  std::vector<v1::Finding> findings;
  v1::HostExamination examination;
  if (!reply.answer.status.ok()) {
    findings = {NoAnswer(reply)};
  } else if (!base::FromJson(LastLine(reply.answer.output), "", &examination,
                             base::UnknownFields::kIgnore)
                  .ok()) {
    findings = {examine::Fault(
        "agent",
        fmt::format("the answer is no examination: {}", Shown(LastLine(reply.answer.output))),
        "install the same version of ltml on all hosts")};
  } else {
    findings = {Answered(reply)};
    findings.insert(findings.end(), examination.findings().begin(), examination.findings().end());
    findings.push_back(CheckClock(reply, examination.unix_milliseconds()));
  }
  for (v1::Finding& finding : findings) finding.set_host(reply.host);
  return findings;
}

std::unique_ptr<PoolExaminer> PoolExaminer::Create(const v1::ServerConfig& config) {
  return std::make_unique<Examiner>(config);
}

}  // namespace ltml::coordinator
