// Router's choice, counts, scan and places of all pairs in one launch, and the map alone.
//
// A warp takes a token. Then all blocks meet, and the first one makes the map out of what all have
// chosen (route.cuh): 2,048 pairs are eight steps of each of its warps. One launch instead of three
// to ten; at most 256 tokens a launch of 32 blocks, all of them resident.
//
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/route.cuh"

#include "kernels/cuda/fast.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kRouteWarps = 8;
constexpr int kRouteThreads = 32 * kRouteWarps;
constexpr int kMapThreads = 1024;
constexpr int kMostMapped = 1024;  // experts of the map

struct RouteShared {
  union {
    RouterScratch router[kRouteWarps];
    std::int32_t table[kRouteWarps * kMostRouted];
  };

  std::int32_t starts[kMostRouted + 1];
  std::int32_t counts[kMostRouted];
};

// Writes the map of a whole block's work; the rows of padding are marked by the block, too.
template <class Ids>
R1_DEV void write_map(const MapScratch& scratch, const device::Permute& a, Ids ids) {
  block_permute_map(scratch, static_cast<int>(a.tokens * a.k), a.experts, a.align, ids,
                    [&](int pair, std::int32_t row) {
                      a.row_of_pair[pair] = row;
                      if (row >= 0) {
                        a.pair_of_row[row] = pair;
                      }
                    });
  for (int e = thread_index(); e < a.experts; e += block_threads()) {
    a.offsets[e] = scratch.starts[e];
    for (std::int32_t r = scratch.starts[e] + scratch.counts[e]; r < scratch.starts[e + 1]; ++r) {
      a.pair_of_row[r] = -1;
    }
  }
  if (thread_index() == 0) {
    a.offsets[a.experts] = scratch.starts[a.experts];
  }
}

R1_KERNEL void R1_BOUNDS(kRouteThreads, 1)
    route_kernel(device::RouterTopK choice, device::Permute map) {
  auto* s = shared<RouteShared>();
  for (std::int64_t t = block_index() * kRouteWarps + warp_index(); t < choice.tokens;
       t += grid_blocks() * kRouteWarps) {
    warp_router_topk(choice, choice.logits + t * choice.experts, choice.bias,
                     &s->router[warp_index()], choice.ids + t * choice.k,
                     choice.weights + t * choice.k);
  }
  grid_barrier();
  if (block_index() == 0) {
    write_map({kRouteWarps, s->table, s->starts, s->counts}, map,
              [&](int p) { return load_fresh(choice.ids + p); });
  }
}

R1_KERNEL void R1_BOUNDS(kRouteThreads, 1) router_topk_kernel(device::RouterTopK choice) {
  auto* s = shared<RouteShared>();
  const std::int64_t t = block_index() * kRouteWarps + warp_index();
  if (t < choice.tokens) {
    warp_router_topk(choice, choice.logits + t * choice.experts, choice.bias,
                     &s->router[warp_index()], choice.ids + t * choice.k,
                     choice.weights + t * choice.k);
  }
}

R1_KERNEL void R1_BOUNDS(kMapThreads, 1) permute_map_kernel(device::Permute map) {
  auto* table = shared<std::int32_t>();
  constexpr int kWarps = kMapThreads / 32;
  std::int32_t* starts = table + kWarps * map.experts;
  write_map({kWarps, table, starts, starts + map.experts + 1}, map,
            [&](int p) { return map.ids[p]; });
}

static bool warp_takes(const device::RouterTopK& a) {
  return a.experts <= kMostRouted && a.groups <= 32 && a.k <= 32;
}

Status router_topk(const device::RouterTopK& a, void* stream) {
  R1_RETURN_IF_ERROR(check_topk(a));
  if (!warp_takes(a)) {
    return simple_router_topk(a, stream);
  }
  return launch("moe.topk",
                {.blocks = ceil_div<std::int64_t>(a.tokens, kRouteWarps),
                 .threads = kRouteThreads,
                 .shared_bytes = sizeof(RouteShared)},
                stream, router_topk_kernel, a);
}

Status permute(const device::Permute& a, void* stream) {
  if (a.experts < 1 || a.experts > kMostMapped) {
    return invalid("moe.permute", "experts", a.experts, "1 to 1024");
  }
  if (a.row_bytes % 2 != 0) {
    return invalid("moe.permute", "row_bytes", a.row_bytes, "even numbers");
  }
  const auto experts = static_cast<std::size_t>(a.experts);
  R1_RETURN_IF_ERROR(launch(
      "moe.permute",
      {.threads = kMapThreads, .shared_bytes = (kMapThreads / 32 * experts + 2 * experts + 1) * 4},
      stream, permute_map_kernel, a));
  return permute_rows(a, stream);
}

Status route(const device::RouterTopK& choice, const device::Permute& map, void* stream) {
  R1_RETURN_IF_ERROR(check_topk(choice));
  if (!warp_takes(choice) || choice.tokens == 0 || choice.tokens > 32 * kRouteWarps) {
    R1_RETURN_IF_ERROR(router_topk(choice, stream));
    device::Permute only = map;
    only.rows = nullptr;
    return permute(only, stream);
  }
  const std::int64_t blocks =
      smaller<std::int64_t>(ceil_div<std::int64_t>(choice.tokens, kRouteWarps), multiprocessors());
  return launch("moe.route",
                {.blocks = blocks,
                 .threads = kRouteThreads,
                 .shared_bytes = sizeof(RouteShared),
                 .all_resident = true},
                stream, route_kernel, choice, map);
}

}  // namespace r1eval::kernels::R1_DEVICE
