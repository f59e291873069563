// What the sandbox library and its supervisors say to each other, over one SEQPACKET socket a slot.
//
// Both ends are built from this tree and started together, so structures travel as they lie in
// memory. A run is: Request (with descriptors) down, then Started, then one Report up. While a run
// is going on the library may send Stop. End of file tells the supervisor to clean up and leave.
#pragma once

#include <cstdint>

namespace r1eval::wire {

enum class Kind : std::uint32_t { kConfig = 0x7231, kRun, kStop, kReport, kReady };

// How a request is carried out.
enum class Engine : std::uint32_t {
  kPython,   // fork of a Python interpreter with or without the prelude
  kPyPy,     // the same with PyPy
  kNative,   // executes the program descriptor
  kCompile,  // writes the source to a file, runs a compiler, sends the made file to `result`
  kCount,
};

enum class Profile : std::uint32_t { kLcb, kOfficial, kStrict };

struct Config {
  Kind kind = Kind::kConfig;
  char level = 'A';  // what to set up; the supervisor fails rather than use less
  std::int32_t slot = 0;
  std::int64_t memory_mib_max = 0;
  std::int32_t no_fork_server = 0;  // a new interpreter a run instead
  char python[256] = {};            // path of the interpreter, empty: none
  char pypy[256] = {};
  char headers[512] = {};  // folder of the precompiled header, shown as /opt/r1eval; or empty
};

// Answer to Config.
struct Ready {
  Kind kind = Kind::kReady;
  std::int32_t ok = 0;
  std::uint32_t layers = 0;  // bits of Layer
  char message[512] = {};    // why not; or notes
};

enum Layer : std::uint32_t {
  kUserNs = 1u << 0,
  kMountNs = 1u << 1,
  kPidNs = 1u << 2,
  kNetNs = 1u << 3,
  kIpcNs = 1u << 4,
  kUtsNs = 1u << 5,
  kCgroupNs = 1u << 6,
  kProcMount = 1u << 7,
  kScratchUid = 1u << 8,
  kMemoryCgroup = 1u << 9,
  kPidsCgroup = 1u << 10,
  kCpuCgroup = 1u << 11,
  kLandlock = 1u << 12,
  kSeccomp = 1u << 13,
  kNoNewPrivs = 1u << 14,
  kRlimits = 1u << 15,
  kForkServer = 1u << 16,
};

// Descriptors, in this order: program, stdin, stdout, stderr, result.
constexpr int kRunDescriptors = 5;

struct Request {
  Kind kind = Kind::kRun;
  Engine engine = Engine::kPython;
  Profile profile = Profile::kLcb;
  std::uint32_t is_functional = 0;
  std::uint64_t seed = 0;
  double cpu_s = 0;
  double wall_s = 0;
  double alarm_s = 0;  // official profile: wall time of one input
  std::int64_t memory_bytes = 0;
  std::int64_t pids = 0;
  std::int64_t scratch_bytes = 0;
  std::int64_t scratch_inodes = 0;
  std::int64_t address_space_bytes = 0;  // 0: the memory group decides
  std::uint32_t with_numpy = 0;          // fork of an interpreter that has imported it
  std::uint32_t is_shared = 0;           // several inputs in one process (official profile)
  std::uint32_t text_bytes = 0;
  // Python: the function's name. kCompile: NUL-ended words of the command line, of which the first
  // two are the names of the source and of the made file.
  char text[6000] = {};
};

struct Stop {
  Kind kind = Kind::kStop;
};

enum class Why : std::uint32_t {
  kEnded,    // the main process ended by itself
  kCpu,      // CPU limit
  kIdle,     // wall limit
  kMemory,   // the watchdog where there is no memory group
  kStopped,  // asked to
  kFailed,   // the sandbox itself failed; `message`; worth another try
};

struct Report {
  Kind kind = Kind::kReport;
  Why why = Why::kFailed;
  std::int32_t exit_code = -1;
  std::int32_t signal = 0;
  std::uint32_t oom_kills = 0;
  double cpu_s = 0;
  double wall_s = 0;     // without time in which it waited for a processor
  double elapsed_s = 0;  // with it
  std::int64_t peak_bytes = 0;
  std::int64_t kill_us =
      0;  // from the decision to kill, or the main process's end, to an empty slot
  char message[256] = {};
};

}  // namespace r1eval::wire
