// Level C: what stands in for a process namespace and a scratch file system of a slot's own.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "graders/code/helper/supervisor.h"

namespace r1eval::helper {

namespace {

constexpr int kMaxDepth = 32;  // a descriptor each

// Removes what is in the folder `dir`, which is closed. What lies too deep is moved up into `top`.
// False: something was moved, so that another round is needed.
bool remove_contents(int dir, int top, int depth) {
  DIR* stream = fdopendir(dir);
  if (stream == nullptr) {
    close(dir);
    return true;
  }
  bool is_done = true;
  while (const dirent* entry = readdir(stream)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    if (unlinkat(dirfd(stream), entry->d_name, 0) == 0) {
      continue;
    }

    struct stat status {};

    if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode)) {
      continue;
    }
    // No process is left that could put a link in its place.
    fchmodat(dirfd(stream), entry->d_name, 0700, 0);
    if (depth >= kMaxDepth) {
      static unsigned n_moved = 0;
      char name[32];
      std::snprintf(name, sizeof name, "r1eval-%u", n_moved++);
      is_done = renameat(dirfd(stream), entry->d_name, top, name) != 0 && is_done;
      continue;
    }
    const int inner =
        openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) {
      is_done = remove_contents(inner, top, depth + 1) && is_done;
    }
    unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
  }
  closedir(stream);
  return is_done;
}

}  // namespace

void remove_tree_contents(const char* path) {
  // Its owner may have locked the folder itself.
  chmod(path, 0700);
  bool is_done = false;
  for (int round = 0; round < 100'000 && !is_done; ++round) {
    const int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int dir = top < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_done = dir < 0 || remove_contents(dir, top, 0);
    if (top >= 0) {
      close(top);
    }
  }
}

// Every process below this one that is no fork server: what level C has in place of a namespace. As
// this process is a subreaper, orphans stay below it.
int Supervisor::descendants(pid_t* out, int capacity) {
  int n = 0;
  const auto children_of = [&](pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/task", static_cast<int>(pid));
    DIR* tasks = opendir(path);
    if (tasks == nullptr) {
      return;
    }
    while (const dirent* entry = readdir(tasks)) {
      char text[8192];
      char children[128];
      std::snprintf(children, sizeof children, "%s/%.20s/children", path, entry->d_name);
      if (entry->d_name[0] == '.' || read_text(children, text, sizeof text) <= 0) {
        continue;
      }
      char* state = nullptr;
      for (char* word = strtok_r(text, " \n", &state); word != nullptr && n < capacity;
           word = strtok_r(nullptr, " \n", &state)) {
        const pid_t child = static_cast<pid_t>(std::atoi(word));
        bool is_server = false;
        for (const Server& server : servers_) {
          is_server = is_server || server.pid == child;
        }
        if (!is_server && child > 0) {
          out[n++] = child;
        }
      }
    }
    closedir(tasks);
  };
  children_of(getpid());
  for (const Server& server : servers_) {
    if (server.pid > 0) {
      children_of(server.pid);
    }
  }
  for (int i = 0; i < n; ++i) {
    children_of(out[i]);
  }
  return n;
}

void Supervisor::mark_dead(pid_t pid) {
  for (Server& server : servers_) {
    if (server.pid == pid) {
      server.pid = -1;  // its socket says so as well
    }
  }
}

void Supervisor::clean_without_namespaces(const wire::Request& request) {
  (void)request;
  static pid_t pids[4096];
  static pid_t before[4096];
  int n_before = 0;
  int n_rounds_with_new = 0;
  for (int round = 0; round < 2000; ++round) {
    const int n = descendants(pids, 4096);
    for (int i = 0; i < n; ++i) {
      kill(pids[i], SIGKILL);
    }
    for (pid_t reaped = 0; (reaped = waitpid(-1, nullptr, WNOHANG)) > 0;) {
      mark_dead(reaped);
    }
    if (n == 0) {
      break;
    }
    bool has_new = false;
    for (int i = 0; i < n; ++i) {
      has_new = has_new || std::find(before, before + n_before, pids[i]) == before + n_before;
    }
    std::copy(pids, pids + n, before);
    n_before = n;
    n_rounds_with_new += has_new ? 1 : 0;
    if (n_rounds_with_new > 50 && scratch_uid_ != 0) {
      // Forks faster than it is walked: everything of the slot's own user at once, servers
      // included.
      const pid_t killer = fork();
      if (killer == 0) {
        if (setresuid(scratch_uid_, scratch_uid_, scratch_uid_) == 0) {
          kill(-1, SIGKILL);
        }
        _exit(0);
      }
      waitpid(killer, nullptr, 0);
    }
    usleep(round < 20 ? 100 : 1000);
  }
  if (std::strcmp(scratch_, "/tmp") != 0) {
    remove_tree_contents(scratch_);
  }
}

}  // namespace r1eval::helper
