// A slot's supervisor: single-threaded, small, never touches a program's data. Owns the slot init,
// the fork servers, the control groups, the clocks and the decision to kill.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "graders/code/helper/cgroup.h"
#include "graders/code/helper/server.h"
#include "graders/code/helper/slot_init.h"
#include "graders/code/helper/util.h"
#include "graders/code/wire.h"

namespace r1eval::helper {

// Removes what is in the folder `path`, however deep and locked. Never follows links below it.
void remove_tree_contents(const char* path);

class Supervisor {
 public:
  explicit Supervisor(int socket) : socket_(socket) {}

  int main_loop();  // exit status

 private:
  struct Server {
    pid_t pid = -1;
    int socket = -1;
    std::int64_t address_space_bytes = 0;  // of the server itself
  };

  bool configure(const wire::Config& config, Failure& failure);
  bool start_slot(Failure& failure);
  void stop_slot();
  bool start_server(Server& server, const wire::Request& request, Failure& failure);
  void stop_server(Server& server);
  Server* server_for(const wire::Request& request, Failure& failure);
  Server* native_server(Failure& failure);
  std::int64_t n_servers() const;

  void carry_out(const wire::Request& request, const int* fds, wire::Report& report);
  const SlotCgroup::Counts& idle_counts();
  bool send_to_server(const Server& server, const wire::Request& request, const int* fds);
  bool clean(const wire::Request& request, Failure& failure);  // kill, wait, empty scratch
  void clean_without_namespaces(const wire::Request& request);
  bool measure(const wire::Request& request, InitReply& reply);
  int descendants(pid_t* out, int capacity);
  void mark_dead(pid_t pid);

  int socket_;
  wire::Config config_;
  std::uint32_t layers_ = 0;
  bool has_namespaces_ = false;
  bool has_two_ids_ = false;
  unsigned scratch_uid_ = 0;  // outer; 0: none can be had
  SlotCgroup cgroup_;
  Namespaces namespaces_;
  pid_t init_pid_ = -1;
  int init_pidfd_ = -1;
  int init_socket_ = -1;
  std::int64_t scratch_bytes_ = -1, scratch_inodes_ = -1;
  char scratch_[300] = "/tmp";  // level C: the folder of this slot
  Server servers_[10];          // native; Python by profile; the same with numpy; PyPy by profile
  SlotCgroup::Counts idle_;     // of the group, as long as no process joined or left it
  bool has_idle_ = false;
  bool needs_clean_ = false;  // after the report
  bool stop_asked_ = false;
  bool quit_ = false;
};

}  // namespace r1eval::helper
