# CUDA is optional. nvcc compiles without a device present, so wherever a toolkit exists the code can
# at least be built; tests that need a device skip by name.
if(R1EVAL_CUDA STREQUAL "ON" OR R1EVAL_CUDA STREQUAL "AUTO")
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90)
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # CMake 3.25 does not know the C++20 flag of nvcc 13.
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(R1EVAL_HAVE_CUDA ON)
  elseif(R1EVAL_CUDA STREQUAL "ON")
    message(FATAL_ERROR "R1EVAL_CUDA=ON, but no CUDA compiler was found: put nvcc on PATH or use R1EVAL_CUDA=OFF")
  endif()
endif()
