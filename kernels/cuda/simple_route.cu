// Router's choice and the permutation, plainly: a block a token, then one block that counts, scans
// and scatters with a thread an expert, then a block a row that moves. The fast form, one launch
// for choice and map, is in route.cu.
//
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/route.cuh"
#include "kernels/cuda/simple.cuh"
#include "kernels/cuda/vectors.cuh"
#include "kernels/shared/permute_map.h"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kTopKThreads = 256;

struct TopKShared {
  float score[1024];   // s
  float choice[1024];  // t; -inf once chosen or ruled out
  float group[1024];
  float scratch[32];
  float picked[32];
};

R1_KERNEL void R1_BOUNDS(kTopKThreads, 1) simple_router_topk_kernel(device::RouterTopK a) {
  auto* s = shared<TopKShared>();
  const std::int64_t token = block_index();
  const float* logits = a.logits + token * a.experts;
  float most = -kInfinity;
  for (int e = thread_index(); e < a.experts; e += kTopKThreads) {
    most = logits[e] > most ? logits[e] : most;
  }
  most = block_max(most, s->scratch);
  float sum = 0.0F;
  for (int e = thread_index(); e < a.experts; e += kTopKThreads) {
    const float x = logits[e];
    const float score = a.is_sigmoid ? 1.0F / (1.0F + expf(-x)) : expf(x - most);
    s->score[e] = score;
    sum += score;
  }
  sum = block_sum(sum, s->scratch);
  for (int e = thread_index(); e < a.experts; e += kTopKThreads) {
    if (!a.is_sigmoid) {
      s->score[e] /= sum;
    }
    s->choice[e] = s->score[e] + (a.bias != nullptr ? a.bias[e] : 0.0F);
  }
  __syncthreads();
  const int per_group = a.experts / a.groups;
  if (a.groups > 1) {
    for (int g = thread_index(); g < a.groups; g += kTopKThreads) {
      float first = -kInfinity;
      float second = -kInfinity;
      for (int e = g * per_group; e < (g + 1) * per_group; ++e) {
        const float t = s->choice[e];
        if (t > first) {
          second = first;
          first = t;
        } else if (t > second) {
          second = t;
        }
      }
      s->group[g] = a.bias != nullptr && per_group > 1 ? first + second : first;
    }
    __syncthreads();
    if (warp_index() == 0) {
      for (int i = 0; i < a.groups_kept; ++i) {
        const int g = warp_argmax(s->group, a.groups);
        if (lane_index() == 0 && g >= 0) {
          s->group[g] = -kInfinity;
        }
        __syncwarp();
      }
    }
    __syncthreads();
    // What is still above -inf was not kept.
    for (int e = thread_index(); e < a.experts; e += kTopKThreads) {
      if (s->group[e / per_group] != -kInfinity) {
        s->choice[e] = -kInfinity;
      }
    }
    __syncthreads();
  }
  if (warp_index() != 0) {
    return;
  }
  float total = 0.0F;
  for (int j = 0; j < a.k; ++j) {
    int e = warp_argmax(s->choice, a.experts);
    e = e < 0 ? j : e;  // only where logits are NaN
    if (lane_index() == 0) {
      a.ids[token * a.k + j] = e;
      s->picked[j] = s->score[e];
      s->choice[e] = -kInfinity;
    }
    __syncwarp();
    total += s->picked[j];
  }
  const float factor = a.is_renormalized ? a.scale / total : a.scale;
  if (lane_index() < a.k) {
    a.weights[token * a.k + lane_index()] = s->picked[lane_index()] * factor;
  }
}

// Thread e owns expert e: it walks over all pairs in order, so that the map is stable.
R1_KERNEL void R1_BOUNDS(1024, 1) simple_permute_map_kernel(device::Permute a) {
  auto* ends = shared<std::int32_t>();
  const int e = thread_index();
  const std::int64_t pairs = a.tokens * a.k;
  std::int32_t count = 0;
  for (std::int64_t p = 0; p < pairs; ++p) {
    count += a.ids[p] == e ? 1 : 0;
  }
  ends[e] = round_up(count, a.align);
  __syncthreads();
  std::int32_t first = 0;
  for (int other = 0; other < e; ++other) {
    first += ends[other];
  }
  const std::int32_t end = first + ends[e];
  a.offsets[e] = first;
  if (e == a.experts - 1) {
    a.offsets[a.experts] = end;
  }
  std::int32_t next = first;
  for (std::int64_t p = 0; p < pairs; ++p) {
    const std::int32_t id = a.ids[p];
    if (id == e) {
      a.row_of_pair[p] = next;
      a.pair_of_row[next] = static_cast<std::int32_t>(p);
      ++next;
    } else if (e == 0 && (id < 0 || id >= a.experts)) {
      a.row_of_pair[p] = -1;
    }
  }
  for (; next < end; ++next) {
    a.pair_of_row[next] = -1;
  }
}

R1_KERNEL void R1_BOUNDS(kTopKThreads, 1) permute_rows_kernel(device::Permute a) {
  const std::int64_t row = block_index();
  if (row >= a.offsets[a.experts]) {
    return;
  }
  const std::int32_t pair = a.pair_of_row[row];
  const std::int64_t token = pair < 0 ? 0 : pair / a.k;
  const auto* from = reinterpret_cast<const std::uint32_t*>(
      static_cast<const unsigned char*>(a.rows) + token * a.row_bytes);
  auto* to =
      reinterpret_cast<std::uint32_t*>(static_cast<unsigned char*>(a.sorted) + row * a.row_bytes);
  if (a.row_bytes % 16 == 0) {
    for (std::int64_t i = thread_index(); i < a.row_bytes / 16; i += kTopKThreads) {
      reinterpret_cast<Bits128*>(to)[i] =
          pair < 0 ? Bits128{{0, 0, 0, 0}} : reinterpret_cast<const Bits128*>(from)[i];
    }
  } else {
    for (std::int64_t i = thread_index(); i < a.row_bytes / 4; i += kTopKThreads) {
      to[i] = pair < 0 ? 0U : from[i];
    }
    if (a.row_bytes % 4 != 0 && thread_index() == 0) {  // one bf16 more
      const std::int64_t last = a.row_bytes / 2 - 1;
      reinterpret_cast<std::uint16_t*>(to)[last] =
          pair < 0 ? std::uint16_t{0} : reinterpret_cast<const std::uint16_t*>(from)[last];
    }
  }
  for (int i = thread_index(); i < a.scales_per_row; i += kTopKThreads) {
    a.sorted_scales[row * a.scales_per_row + i] =
        pair < 0 ? 1.0F : a.scales[token * a.scales_per_row + i];
  }
}

Status check_topk(const device::RouterTopK& a) {
  if (a.experts < 1 || a.experts > 1024) {
    return invalid("moe.topk", "experts", a.experts, "1 to 1024");
  }
  if (a.groups < 1 || a.experts % a.groups != 0) {
    return invalid("moe.topk", "groups", a.groups, "divisors of the number of experts");
  }
  if (a.groups_kept < 1 || a.groups_kept > a.groups) {
    return invalid("moe.topk", "groups_kept", a.groups_kept, "1 to groups");
  }
  if (a.k < 1 || a.k > 32 || a.k > a.groups_kept * (a.experts / a.groups)) {
    return invalid("moe.topk", "k", a.k, "1 to 32, at most the experts of the groups kept");
  }
  return ok_status();
}

Status simple_router_topk(const device::RouterTopK& a, void* stream) {
  R1_RETURN_IF_ERROR(check_topk(a));
  return launch("moe.topk",
                {.blocks = a.tokens, .threads = kTopKThreads, .shared_bytes = sizeof(TopKShared)},
                stream, simple_router_topk_kernel, a);
}

Status permute_rows(const device::Permute& a, void* stream) {
  if (a.rows == nullptr) {
    return ok_status();
  }
  return launch(
      "moe.permute",
      {.blocks = most_sorted_rows(a.tokens * a.k, a.experts, a.align), .threads = kTopKThreads},
      stream, permute_rows_kernel, a);
}

Status simple_permute(const device::Permute& a, void* stream) {
  if (a.experts < 1 || a.experts > 1024) {
    return invalid("moe.permute", "experts", a.experts, "1 to 1024");
  }
  if (a.row_bytes % 2 != 0) {
    return invalid("moe.permute", "row_bytes", a.row_bytes, "even numbers");
  }
  R1_RETURN_IF_ERROR(
      launch("moe.permute",
             {.threads = a.experts, .shared_bytes = static_cast<std::size_t>(a.experts) * 4},
             stream, simple_permute_map_kernel, a));
  return permute_rows(a, stream);
}

Status simple_route(const device::RouterTopK& choice, const device::Permute& map, void* stream) {
  R1_RETURN_IF_ERROR(simple_router_topk(choice, stream));
  device::Permute only = map;
  only.rows = nullptr;
  return simple_permute(only, stream);
}

}  // namespace r1eval::kernels::R1_DEVICE
