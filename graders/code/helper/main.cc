// The sandbox's helper program: carried inside the library, started from memory, one process a
// slot. Descriptor 3 is the socket to the library; everything else is closed first.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "graders/code/helper/supervisor.h"
#include "graders/code/helper/util.h"

int main(int argc, char** argv) {
  (void)argc;
  (void)argv;
  r1eval::helper::close_all_from(4);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);  // Ctrl-C is for the library, which then closes the socket
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  r1eval::helper::Supervisor supervisor(3);
  return supervisor.main_loop();
}
