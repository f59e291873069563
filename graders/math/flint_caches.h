// FLINT and Arb keep memory for reuse and constants (pi, e, ln 2) per thread, and free them only
// when told to.
#pragma once

namespace r1eval {

// The calling thread's caches are freed when it ends. Called before any value of FLINT is made.
void free_flint_caches_at_thread_exit();

}  // namespace r1eval
