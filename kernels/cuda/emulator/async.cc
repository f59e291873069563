// mbarrier, TMA and wgmma, emulated. See async.h.
#include "kernels/cuda/emulator/async.h"

#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kernels/cuda/emulator/block.h"
#include "kernels/shared/numbers.h"

namespace r1eval::kernels::emulator {

namespace {

// The 64 bits of an mbarrier, ours: the hardware's are opaque.
struct BarrierWord {
  std::int32_t bytes;     // still to come in this phase
  std::uint16_t pending;  // arrivals still to come
  std::uint16_t count : 15;
  std::uint16_t phase : 1;
};

static_assert(sizeof(BarrierWord) == 8);

BarrierWord load(const std::uint64_t* barrier) {
  BarrierWord word;
  std::memcpy(&word, barrier, sizeof(word));
  return word;
}

void store(std::uint64_t* barrier, BarrierWord word) {
  if (word.pending == 0 && word.bytes == 0) {
    word.phase = static_cast<std::uint16_t>(word.phase ^ 1U) & 1U;
    word.pending = word.count;
  }
  std::memcpy(barrier, &word, sizeof(word));
  note_progress();
}

void complete_bytes(std::uint64_t* barrier, std::uint32_t bytes) {
  BarrierWord word = load(barrier);
  word.bytes -= static_cast<std::int32_t>(bytes);
  store(barrier, word);
}

void check_destination(const void* destination, std::int64_t bytes, std::uint32_t alignment) {
  const std::uint32_t address = shared_address(destination);
  if (address % alignment != 0) {
    fault(fmt::format("a bulk load goes to address {} of shared memory, which is no multiple of {}",
                      address, alignment));
  }
  if (address + bytes > static_cast<std::int64_t>(launch_shape().shared_bytes)) {
    fault("a bulk load goes past the end of shared memory");
  }
}

void later(std::function<void()> act) {
  Machine& m = machine();
  if (options().late_loads) {
    m.loads.push_back({m.current->block, std::move(act)});
  } else {
    act();
  }
}

// ---- wgmma ----

constexpr int kRows = 64;

// Tensor cores sum e4m3 products in a register narrower than a float; what it loses is cut off.
float to_14_bits(double sum) {
  if (sum == 0.0 || !std::isfinite(sum)) {
    return static_cast<float>(sum);
  }
  const int exponent = std::ilogb(sum);
  const double unit = std::ldexp(1.0, exponent - 13);
  return static_cast<float>(std::trunc(sum / unit) * unit);
}

float value_at(const unsigned char* shared, std::uint32_t offset, Values values) {
  if (values == Values::kE4m3) {
    return to_float(E4m3{shared[offset]});
  }
  Bf16 value;
  std::memcpy(&value, shared + offset, 2);
  return to_float(value);
}

// The operand as (rows, depth) floats. Reads 16 bytes at a time along the contiguous direction only
// in spirit: clarity over speed, each value by its own address.
void read_operand(const Block& block, std::uint64_t descriptor, Major major, Values values,
                  int rows, int depth, std::vector<float>& out) {
  const std::uint32_t bytes = values == Values::kE4m3 ? 1 : 2;
  out.resize(static_cast<std::size_t>(rows * depth));
  const auto limit = static_cast<std::uint32_t>(launch_shape().shared_bytes);
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < depth; ++k) {
      const std::uint32_t offset = operand_offset(descriptor, major, static_cast<std::uint32_t>(r),
                                                  static_cast<std::uint32_t>(k), bytes);
      if (offset + bytes > limit) {
        fault("a wgmma operand lies outside of shared memory");
      }
      out[static_cast<std::size_t>(r * depth + k)] = value_at(block.shared, offset, values);
    }
  }
}

void execute(const Block& block, const Product& product) {
  const auto values = static_cast<Values>(product.kind);
  const int depth = values == Values::kE4m3 ? 32 : 16;
  static thread_local std::vector<float> a;
  static thread_local std::vector<float> b;
  if (product.a_in_registers) {
    a.resize(static_cast<std::size_t>(kRows * depth));
    for (int t = 0; t < 128; ++t) {
      for (int r = 0; r < 4; ++r) {
        const Place place = a_fragment_place(t, r);
        const std::uint32_t pair =
            product.fragments[static_cast<std::size_t>(t)][static_cast<std::size_t>(r)];
        float* at = a.data() + place.row * depth + place.column;
        at[0] = to_float(Bf16{static_cast<std::uint16_t>(pair & 0xffffU)});
        at[1] = to_float(Bf16{static_cast<std::uint16_t>(pair >> 16U)});
      }
    }
  } else {
    read_operand(block, product.a, Major::kK, values, kRows, depth, a);
  }
  read_operand(block, product.b, product.b_is_mn_major ? Major::kMN : Major::kK, values, product.n,
               depth, b);
  for (int t = 0; t < 128; ++t) {
    float* d = product.registers[static_cast<std::size_t>(t)];
    for (int i = 0; i < product.n / 2; ++i) {
      const Place place = accumulator_place(t, i);
      const float* row = a.data() + place.row * depth;
      const float* column = b.data() + place.column * depth;
      if (values == Values::kE4m3) {
        double sum = product.accumulate ? static_cast<double>(d[i]) : 0.0;
        for (int k = 0; k < depth; ++k) {
          sum += static_cast<double>(row[k]) * static_cast<double>(column[k]);
        }
        d[i] = options().short_sums ? to_14_bits(sum) : static_cast<float>(sum);
      } else {
        float sum = 0.0F;
        for (int k = 0; k < depth; ++k) {
          sum += row[k] * column[k];
        }
        d[i] = product.accumulate ? d[i] + sum : sum;
      }
    }
  }
}

Warpgroup& my_warpgroup(std::size_t& lane) {
  Thread* self = machine().current;
  lane = static_cast<std::size_t>(self->index % 128);
  return self->block->warpgroups[static_cast<std::size_t>(self->index / 128)];
}

}  // namespace

void barrier_init(std::uint64_t* barrier, int count) {
  if (shared_address(barrier) % 8 != 0 || count < 1 || count > 1024) {
    fault("an mbarrier is 8 aligned bytes of shared memory and counts to at least 1");
  }
  BarrierWord word{};
  word.pending = static_cast<std::uint16_t>(count);
  word.count = static_cast<std::uint16_t>(count) & 0x7fffU;
  std::memcpy(barrier, &word, sizeof(word));
  note_progress();
}

void barrier_arrive(std::uint64_t* barrier) {
  BarrierWord word = load(barrier);
  if (word.count > 1024 || word.count == 0) {
    fault("an mbarrier is used before it was made");
  }
  if (word.pending == 0) {
    fault("more threads arrive at an mbarrier than it was made for");
  }
  --word.pending;
  store(barrier, word);
}

void barrier_expect(std::uint64_t* barrier, std::uint32_t bytes) {
  BarrierWord word = load(barrier);
  if (word.pending == 0) {
    fault("bytes are expected by an mbarrier whose phase has no arrival left");
  }
  word.bytes += static_cast<std::int32_t>(bytes);
  std::memcpy(barrier, &word, sizeof(word));
  note_progress();
}

void barrier_wait(std::uint64_t* barrier, std::uint32_t parity) {
  wait_until("an mbarrier", [&] { return load(barrier).phase != parity; });
}

void tma_load(void* destination, const TensorMapParams& map, std::uint64_t* barrier,
              const std::int32_t* at) {
  const char* problem = tensor_map_problem(map);
  if (problem != nullptr) {
    fault(problem);
  }
  check_destination(destination, map.box_bytes(), map.swizzled ? 1024 : 128);

  struct Copy {
    TensorMapParams map;
    std::int32_t at[5];
  } copy{map, {0, 0, 0, 0, 0}};

  for (int d = 0; d < map.rank; ++d) {
    copy.at[d] = at[d];
  }
  const std::uint32_t address = shared_address(destination);
  later([copy, destination, address, barrier] {
    load_box(copy.map, copy.at, static_cast<unsigned char*>(destination), address);
    complete_bytes(barrier, static_cast<std::uint32_t>(copy.map.box_bytes()));
  });
}

void bulk_load(void* destination, const void* source, std::uint32_t bytes, std::uint64_t* barrier) {
  if (bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(source) % 16 != 0) {
    fault("a bulk load's address and size are multiples of 16 bytes");
  }
  check_destination(destination, bytes, 16);
  later([=] {
    std::memcpy(destination, source, bytes);
    complete_bytes(barrier, bytes);
  });
}

void wgmma(const ProductShape& shape, float* d, const std::uint32_t* a_registers, std::uint64_t a,
           std::uint64_t b, bool accumulate) {
  std::size_t lane = 0;
  Warpgroup& group = my_warpgroup(lane);
  const std::uint64_t number = group.issued[lane]++;
  const std::uint64_t place = number - group.executed;
  if (number < group.executed) {
    fault("a thread issues a wgmma that the rest of its warpgroup has done without it");
  }
  while (group.products.size() <= place) {
    group.products.emplace_back();
  }
  Product& product = group.products[place];
  if (product.arrived == 0) {
    product.kind = static_cast<int>(shape.values);
    product.n = shape.n;
    product.b_is_mn_major = shape.b_major == Major::kMN;
    product.a_in_registers = a_registers != nullptr;
    product.accumulate = accumulate;
    product.a = a;
    product.b = b;
    product.group = group.committed[lane];
  } else if (product.n != shape.n || product.a != a || product.b != b ||
             product.accumulate != accumulate || product.group != group.committed[lane]) {
    fault("threads of a warpgroup issue different wgmma");
  }
  product.registers[lane] = d;
  if (a_registers != nullptr) {
    for (std::size_t r = 0; r < 4; ++r) {
      product.fragments[lane][r] = a_registers[r];
    }
  }
  ++product.arrived;
  note_progress();
}

void wgmma_commit() {
  std::size_t lane = 0;
  ++my_warpgroup(lane).committed[lane];
  note_progress();
}

void wgmma_wait(int most_pending) {
  std::size_t lane = 0;
  Warpgroup& group = my_warpgroup(lane);
  const std::uint64_t generation = group.gate.generation;
  note_progress();
  if (++group.gate.arrived == 128) {
    const auto pending = static_cast<std::uint64_t>(most_pending);
    const std::uint64_t all = group.committed[lane];
    const std::uint64_t done = all > pending ? all - pending : 0;  // groups below are complete
    std::size_t n = 0;
    while (n < group.products.size() && group.products[n].group < done) {
      if (group.products[n].arrived != 128) {
        fault("a wgmma was issued by a part of its warpgroup only");
      }
      execute(*machine().current->block, group.products[n]);
      ++n;
    }
    group.products.erase(group.products.begin(),
                         group.products.begin() + static_cast<std::ptrdiff_t>(n));
    group.executed += n;
    group.gate.arrived = 0;
    ++group.gate.generation;
  }
  wait_until("the other threads' wgmma", [&] { return group.gate.generation != generation; });
}

}  // namespace r1eval::kernels::emulator
