// One marker for functions that both compilers translate: nvcc for the device, any other for the
// host.
#pragma once

#if defined(__CUDACC__)
#define R1_HOST_DEVICE __host__ __device__
#else
#define R1_HOST_DEVICE
#endif
