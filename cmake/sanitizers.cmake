# Sanitizers apply to everything we compile, so that no object is left uninstrumented.
if(R1EVAL_SANITIZE)
  add_compile_options(-fsanitize=${R1EVAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${R1EVAL_SANITIZE})
  # Debian's TBB is not instrumented: ThreadSanitizer reports races inside it that do not exist.
  # base/parallel.h then runs on std::thread instead, and everything of ours stays checked.
  if(R1EVAL_SANITIZE MATCHES "thread")
    add_compile_definitions(R1EVAL_PARALLEL_STD=1)
  endif()
endif()
if(R1EVAL_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
