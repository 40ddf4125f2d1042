#include "common/examine/host.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "common/base/proto_time.h"
#include "common/base/version.h"
#include "common/examine/finding.h"
#include "common/examine/network.h"
#include "common/examine/programs.h"
#include "common/examine/resources.h"

namespace ltml::examine {
namespace {

v1::Finding CheckVersion(const std::string& expected) {
  const std::string own = base::Version();
  if (own == expected) return Ok("ltml", own);
  return Fault("ltml", fmt::format("{}; the server has {}", own, expected),
               "install the same version of ltml on all hosts");
}

}  // namespace

v1::HostExamination Examine(const v1::HostQuestion& question) {
  v1::HostExamination result;
  result.set_version(base::Version());
  result.set_unix_milliseconds(base::UnixMilliseconds());
  const auto add = [&](v1::Finding finding) { *result.add_findings() = std::move(finding); };
  add(CheckVersion(question.version()));
  add(CheckOpenMpi(question.open_mpi_version()));
  add(CheckPrograms(OwnFolder()));
  add(CheckShared(question.runs(), question.marker_file(), question.marker()));
  for (const std::string& root : question.data()) add(CheckReadable("data", root));
  add(CheckSharedMemory());
  add(CheckTemporaryFolder());
  add(CheckDisk("disk", question.runs()));
  add(CheckOpenFiles());
  add(CheckProcessor());
  add(CheckInterfaces(
      std::vector<std::string>(question.interfaces().begin(), question.interfaces().end())));
  add(CheckConnection("server", question.server()));
  return result;
}

}  // namespace ltml::examine
