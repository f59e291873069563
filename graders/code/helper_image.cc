#include "graders/code/helper_image.h"

extern "C" const char r1eval_helper_begin[];
extern "C" const char r1eval_helper_end[];

asm(".section .rodata\n"
    ".balign 16\n"
    ".global r1eval_helper_begin\nr1eval_helper_begin:\n"
    ".incbin \"" R1EVAL_HELPER_FILE
    "\"\n"
    ".global r1eval_helper_end\nr1eval_helper_end:\n.byte 0\n"
    ".previous\n");

namespace r1eval {

std::string_view sandbox_helper_image() {
  return {r1eval_helper_begin, static_cast<std::size_t>(r1eval_helper_end - r1eval_helper_begin)};
}

}  // namespace r1eval
