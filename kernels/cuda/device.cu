// The device itself: errors with their reason, launches, tensor maps, properties. See device.h.
//
// The driver library is never linked: a program that links it cannot start where there is no
// driver. The one function of it that is needed, encoding of tensor maps, is asked of the runtime.
#include <cuda.h>

#include <atomic>
#include <cstring>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/cuda/dialect.cuh"
#include "kernels/cuda/ptx.cuh"

namespace r1eval::kernels::cuda {

Status cuda_status(cudaError_t code, const char* doing) {
  if (code == cudaSuccess) {
    return ok_status();
  }
  (void)cudaGetLastError();  // or the next call would report it again
  if (code == cudaErrorNoDevice || code == cudaErrorInsufficientDriver) {
    return fail(ErrorCode::kNotFound,
                std::string(doing) + ": no CUDA device (" + cudaGetErrorString(code) + ")");
  }
  const bool is_memory = code == cudaErrorMemoryAllocation;
  return fail(is_memory ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
              std::string(doing) + ": " + cudaGetErrorName(code) + ": " + cudaGetErrorString(code));
}

int multiprocessors() {
  static const int count = [] {
    int device = 0;
    int n = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, device) != cudaSuccess) {
      (void)cudaGetLastError();
      return 0;
    }
    return n;
  }();
  return count;
}

Status launch_raw(const char* name, const LaunchShape& shape, void* stream, const void* kernel,
                  void** arguments) {
  if (shape.blocks == 0) {
    return ok_status();
  }
  if (shape.blocks < 0 || shape.blocks > 0x7fffffff) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(name) + ": " + std::to_string(shape.blocks) + " blocks in one launch");
  }
  if (shape.shared_bytes > 48U << 10U) {
    R1_RETURN_IF_ERROR(
        cuda_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(shape.shared_bytes)),
                    name));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(shape.blocks));
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  config.attrs = &attribute;
  config.numAttrs = shape.all_resident ? 1 : 0;
  return cuda_status(cudaLaunchKernelExC(&config, kernel, arguments), name);
}

Status fill_bytes(void* at, int value, std::size_t bytes, void* stream) {
  return cuda_status(cudaMemsetAsync(at, value, bytes, static_cast<cudaStream_t>(stream)),
                     "cudaMemsetAsync");
}

namespace {

using EncodeTiled = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*,
                                 const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                                 const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

Result<EncodeTiled> encode_function() {
  static std::atomic<EncodeTiled> found{nullptr};
  if (found.load() != nullptr) {
    return found.load();
  }
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult query = cudaDriverEntryPointSymbolNotFound;
  R1_RETURN_IF_ERROR(cuda_status(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry,
                                                                  12000, cudaEnableDefault, &query),
                                 "tensor map encoding"));
  if (entry == nullptr || query != cudaDriverEntryPointSuccess) {
    return fail(ErrorCode::kUnsupported, "the driver cannot encode tensor maps (CUDA 12 needed)");
  }
  found.store(reinterpret_cast<EncodeTiled>(entry));
  return found.load();
}

}  // namespace

Result<TensorMap> make_tensor_map(const TensorMapParams& params) {
  const char* problem = tensor_map_problem(params);
  if (problem != nullptr) {
    return fail(ErrorCode::kInvalidArgument, problem);
  }
  R1_TRY(const EncodeTiled encode, encode_function());
  cuuint64_t dims[5];
  cuuint64_t strides[5];
  cuuint32_t box[5];
  cuuint32_t steps[5];
  for (int d = 0; d < params.rank; ++d) {
    dims[d] = static_cast<cuuint64_t>(params.dims[d]);
    box[d] = static_cast<cuuint32_t>(params.box[d]);
    steps[d] = 1;
    if (d > 0) {
      strides[d - 1] = static_cast<cuuint64_t>(params.strides[d]);
    }
  }
  static_assert(sizeof(CUtensorMap) == sizeof(TensorMap));
  CUtensorMap encoded;
  const CUresult result = encode(
      &encoded,
      params.value_bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
      static_cast<cuuint32_t>(params.rank), const_cast<void*>(params.base), dims, strides, box,
      steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
      params.swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    return fail(ErrorCode::kInternal,
                "cuTensorMapEncodeTiled refused a map: error " + std::to_string(result));
  }
  TensorMap map;
  std::memcpy(map.bytes, &encoded, sizeof(map.bytes));
  return map;
}

// ---- device.h ----

Status device_available() {
  int n = 0;
  R1_RETURN_IF_ERROR(cuda_status(cudaGetDeviceCount(&n), "cuda"));
  if (n == 0) {
    return fail(ErrorCode::kNotFound, "cuda: no CUDA device");
  }
  R1_TRY(const DeviceInfo info, device_info());
  if (info.compute_major != 9 || info.compute_minor != 0) {
    return fail(ErrorCode::kUnsupported,
                "cuda: the kernels are compiled for compute capability 9.0 (Hopper) only; " +
                    info.name + " has " + std::to_string(info.compute_major) + "." +
                    std::to_string(info.compute_minor));
  }
  return ok_status();
}

Result<DeviceInfo> device_info() {
  int device = 0;
  R1_RETURN_IF_ERROR(cuda_status(cudaGetDevice(&device), "cuda"));
  cudaDeviceProp p = {};
  R1_RETURN_IF_ERROR(cuda_status(cudaGetDeviceProperties(&p, device), "cuda"));
  DeviceInfo info;
  info.name = p.name;
  info.compute_major = p.major;
  info.compute_minor = p.minor;
  info.multiprocessors = p.multiProcessorCount;
  info.memory_bytes = static_cast<std::int64_t>(p.totalGlobalMem);
  info.l2_bytes = p.l2CacheSize;
  info.has_ecc = p.ECCEnabled != 0;
  info.uuid.assign(p.uuid.bytes, sizeof(p.uuid.bytes));
  int version = 0;
  R1_RETURN_IF_ERROR(cuda_status(cudaDriverGetVersion(&version), "cuda"));
  info.driver_version = version;
  R1_RETURN_IF_ERROR(cuda_status(cudaRuntimeGetVersion(&version), "cuda"));
  info.runtime_version = version;
  return info;
}

Result<DeviceBuffer> DeviceBuffer::make(std::size_t bytes) {
  DeviceBuffer buffer;
  if (bytes > 0) {
    R1_RETURN_IF_ERROR(cuda_status(cudaMalloc(&buffer.data_, bytes), "device memory"));
  }
  buffer.bytes_ = bytes;
  return Result<DeviceBuffer>(std::move(buffer));
}

void DeviceBuffer::release() {
  if (data_ != nullptr) {
    (void)cudaFree(data_);
  }
  data_ = nullptr;
  bytes_ = 0;
}

Status copy_to_device(void* to, const void* from, std::size_t bytes) {
  return cuda_status(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "copy to the device");
}

Status copy_from_device(void* to, const void* from, std::size_t bytes) {
  return cuda_status(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "copy from the device");
}

Status synchronize() {
  return cuda_status(cudaDeviceSynchronize(), "waiting for the device");
}

}  // namespace r1eval::kernels::cuda
