#include "graders/math/flint_caches.h"

#include <flint/flint.h>

namespace r1eval {
namespace {

struct Caches {
  bool is_used = false;

  ~Caches() {
    if (is_used) {
      flint_cleanup();
    }
  }
};

thread_local Caches caches;

}  // namespace

void free_flint_caches_at_thread_exit() {
  caches.is_used = true;
}

}  // namespace r1eval
