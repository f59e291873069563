#include "graders/code/layers.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "graders/code/language.h"

namespace r1eval {
namespace {

struct LayerText {
  std::uint32_t bit;
  const char* name;
  const char* fallback;
};

constexpr std::array<LayerText, 17> kLayers = {{
    {wire::kUserNs, "user namespace", "programs run as a user of the machine"},
    {wire::kMountNs, "mount namespace", "the file view is Landlock's alone"},
    {wire::kPidNs, "pid namespace", "the process tree is walked and killed"},
    {wire::kNetNs, "network namespace", "seccomp refuses sockets"},
    {wire::kIpcNs, "ipc namespace", "none"},
    {wire::kUtsNs, "uts namespace", "none"},
    {wire::kCgroupNs, "cgroup namespace", "none"},
    {wire::kProcMount, "own /proc", "no /proc at all"},
    {wire::kScratchUid, "scratch uid", "programs run as the same user as r1eval"},
    {wire::kMemoryCgroup, "memory cgroup", "address space limit a process, and a watchdog"},
    {wire::kPidsCgroup, "pids cgroup", "process limit a user"},
    {wire::kCpuCgroup, "cpu accounting cgroup", "times of the processes, summed"},
    {wire::kLandlock, "Landlock", "the mount namespace's file view alone"},
    {wire::kSeccomp, "seccomp", "none"},
    {wire::kNoNewPrivs, "no_new_privs", "none"},
    {wire::kRlimits, "rlimits", "none"},
    {wire::kForkServer, "fork server", "a new interpreter a run, many times slower"},
}};

const char* advice_for(const std::string& reason) {
  if (reason.find("user namespace") != std::string::npos) {
    return "allow user namespaces: sysctl user.max_user_namespaces=15000, on Ubuntu also sysctl "
           "kernel.apparmor_restrict_unprivileged_userns=0, on older Debian sysctl "
           "kernel.unprivileged_userns_clone=1; in a container run with --security-opt "
           "seccomp=unconfined --security-opt apparmor=unconfined (docker, podman)";
  }
  if (reason.find("seccomp") != std::string::npos) {
    return "allow the seccomp system call: in a container run with --security-opt "
           "seccomp=unconfined";
  }
  if (reason.find("Landlock") != std::string::npos) {
    return "boot with lsm=landlock,… (kernel 5.13 or newer)";
  }
  return "";
}

// A stand-in of a version manager is a script: only a real program is taken.
std::string first_program(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    struct stat status {};

    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & 0111) != 0) {
      char magic[4] = {};
      std::FILE* file = std::fopen(path.c_str(), "rb");
      const bool is_elf = file != nullptr && std::fread(magic, 1, 4, file) == 4 &&
                          std::memcmp(magic, "\177ELF", 4) == 0;
      if (file != nullptr) {
        std::fclose(file);
      }
      if (is_elf) {
        return path;
      }
    }
  }
  return "";
}

}  // namespace

void find_interpreters(wire::Config& config) {
  const auto put = [](const std::string& path, auto& field) {
    if (path.size() < sizeof field) {
      std::memcpy(field, path.data(), path.size());
    }
  };
  if (const CodeLanguage* python = find_code_language("python")) {
    put(first_program(python->interpreters), config.python);
  }
  if (const CodeLanguage* pypy = find_code_language("pypy")) {
    put(first_program(pypy->interpreters), config.pypy);
  }
}

Result<FirstSlot> open_first_slot(const SandboxOptions& options, wire::Config config) {
  FirstSlot slot;
  std::string reasons;
  for (const SandboxLevel level : {SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC}) {
    if (options.level ? *options.level != level : level > options.min_level) {
      continue;
    }
    config.level = sandbox_level_name(level).front();
    Result<Supervisor> supervisor = launch_supervisor(config);
    if (supervisor) {
      slot.level = level;
      slot.config = config;
      slot.supervisor = std::move(supervisor).value();
      return slot;
    }
    slot.refused.emplace_back(level, supervisor.error().message);
    reasons += (reasons.empty() ? "" : "; ") + supervisor.error().message;
  }
  const char* advice = advice_for(reasons);
  return fail(ErrorCode::kFailedPrecondition,
              reasons + (*advice == '\0' ? std::string() : std::string(". To help: ") + advice) +
                  (options.level || options.min_level == SandboxLevel::kC
                       ? ""
                       : ". Or accept less isolation: --sandbox-min C"));
}

std::vector<LayerStatus> describe_layers(const FirstSlot& slot) {
  std::vector<LayerStatus> layers;
  for (const LayerText& text : kLayers) {
    LayerStatus layer;
    layer.name = text.name;
    layer.is_active = (slot.supervisor.layers & text.bit) != 0;
    layer.is_available = layer.is_active;
    if (text.bit == wire::kLandlock) {
      const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
      layer.evidence = abi > 0 ? fmt::format("ABI {}", abi) : std::strerror(errno);
    }
    if (!layer.is_active) {
      layer.fallback = text.fallback;
      const bool is_cgroup =
          (text.bit & (wire::kMemoryCgroup | wire::kPidsCgroup | wire::kCpuCgroup)) != 0;
      // The reason of the best level that was refused, if it is this layer's own.
      for (const auto& [level, reason] : slot.refused) {
        const bool is_namespace_reason = reason.find("user namespace") != std::string::npos;
        const bool is_seccomp_reason = reason.find("seccomp:") != std::string::npos;
        const bool is_own = is_seccomp_reason     ? text.bit == wire::kSeccomp
                            : is_namespace_reason ? text.bit <= wire::kProcMount
                                                  : is_cgroup && level == SandboxLevel::kA;
        if (layer.evidence.empty() && is_own) {
          layer.evidence = reason;
        } else if (layer.evidence.empty() && is_seccomp_reason) {
          layer.evidence = "not set up: nothing runs without seccomp";
        }
      }
      if (layer.evidence.empty() && text.bit == wire::kForkServer) {
        layer.evidence = slot.config.python[0] == '\0'     ? "no Python interpreter"
                         : slot.config.no_fork_server != 0 ? "not wanted"
                                                           : "could not be started";
      }
      if (layer.evidence.empty()) {
        layer.evidence = fmt::format("not used at level {}", sandbox_level_name(slot.level));
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

SandboxProbe probe_sandbox() {
  SandboxProbe probe;
  SandboxOptions options;
  options.min_level = SandboxLevel::kC;
  wire::Config config;
  config.memory_mib_max = 1024;
  find_interpreters(config);
  FirstSlot nothing;
  Result<FirstSlot> slot = fail(ErrorCode::kFailedPrecondition, "");
  for (const SandboxLevel level : {SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC}) {
    options.level = level;
    slot = open_first_slot(options, config);
    if (slot) {
      break;
    }
    const std::string& reason = slot.error().message;
    nothing.refused.emplace_back(level, reason.substr(0, reason.find(". To help")));
    if (probe.advice.empty()) {
      probe.advice = advice_for(reason);
    }
  }
  if (!slot) {
    probe.layers = describe_layers(nothing);
    return probe;
  }
  slot->refused = nothing.refused;
  probe.level = slot->level;
  probe.layers = describe_layers(*slot);
  end_supervisor(slot->supervisor);
  return probe;
}

}  // namespace r1eval
