// The wgmma instructions, for the widths our kernels use. See ptx.cuh.
//
// An instruction names each of its result registers, so the operand lists below only count: R1_D_n
// is n placeholders, R1_F_n the same registers as "+f" operands.
#pragma once

#include "kernels/cuda/ptx.cuh"

// clang-format off
#define R1_D_4 "%0,%1,%2,%3"
#define R1_D_8 R1_D_4 ",%4,%5,%6,%7"
#define R1_D_16 R1_D_8 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define R1_D_32 R1_D_16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define R1_D_64 R1_D_32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47" \
  ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define R1_D_128 R1_D_64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
  ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95" \
  ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
  ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define R1_F_4 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define R1_F_8 R1_F_4, "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define R1_F_16 R1_F_8, "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define R1_F_32 R1_F_16, "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
  "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define R1_F_64 R1_F_32, "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), \
  "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), \
  "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), \
  "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define R1_F_128 R1_F_64, "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]), \
  "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]), \
  "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]), \
  "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95]), \
  "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99]), "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103]), \
  "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107]), "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111]), \
  "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115]), "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119]), \
  "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123]), "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

// kind: the instruction's name after its shape; a, b: places of the descriptors; p: of the predicate.
#define R1_WGMMA(n, regs, kind, a, b, p, tail)                                                      \
  asm volatile("{\n.reg .pred acc;\nsetp.ne.b32 acc, %" #p ", 0;\n"                                 \
               "wgmma.mma_async.sync.aligned.m64n" #n kind " {" R1_D_##regs "}, %" #a ", %" #b         \
               ", acc, 1, 1" tail ";\n}\n"                                                           \
               : R1_F_##regs : "l"(da), "l"(db), "r"(static_cast<int>(accumulate)))

#define R1_WGMMA_RS(n, regs, kind, a0, a1, a2, a3, b, p, tail)                                      \
  asm volatile("{\n.reg .pred acc;\nsetp.ne.b32 acc, %" #p ", 0;\n"                                 \
               "wgmma.mma_async.sync.aligned.m64n" #n kind " {" R1_D_##regs "}, {%" #a0 ",%" #a1       \
               ",%" #a2 ",%" #a3 "}, %" #b ", acc, 1, 1" tail ";\n}\n"                               \
               : R1_F_##regs : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(db),                  \
                 "r"(static_cast<int>(accumulate)))

// clang-format on

namespace r1eval::kernels::cuda {

template <int N>
R1_DEV void wgmma_e4m3(float (&d)[N / 2], std::uint64_t da, std::uint64_t db, bool accumulate) {
  if constexpr (N == 8) {
    R1_WGMMA(8, 4, "k32.f32.e4m3.e4m3", 4, 5, 6, "");
  } else if constexpr (N == 16) {
    R1_WGMMA(16, 8, "k32.f32.e4m3.e4m3", 8, 9, 10, "");
  } else if constexpr (N == 32) {
    R1_WGMMA(32, 16, "k32.f32.e4m3.e4m3", 16, 17, 18, "");
  } else if constexpr (N == 64) {
    R1_WGMMA(64, 32, "k32.f32.e4m3.e4m3", 32, 33, 34, "");
  } else if constexpr (N == 128) {
    R1_WGMMA(128, 64, "k32.f32.e4m3.e4m3", 64, 65, 66, "");
  } else if constexpr (N == 256) {
    R1_WGMMA(256, 128, "k32.f32.e4m3.e4m3", 128, 129, 130, "");
  } else {
    static_assert(N < 0, "no wgmma of this width is wrapped");
  }
}

template <int N, Major kMajorB>
R1_DEV void wgmma_bf16(float (&d)[N / 2], std::uint64_t da, std::uint64_t db, bool accumulate) {
  constexpr bool kTransposed = kMajorB == Major::kMN;
  if constexpr (kTransposed) {
    if constexpr (N == 64) {
      R1_WGMMA(64, 32, "k16.f32.bf16.bf16", 32, 33, 34, ", 0, 1");
    } else if constexpr (N == 128) {
      R1_WGMMA(128, 64, "k16.f32.bf16.bf16", 64, 65, 66, ", 0, 1");
    } else if constexpr (N == 256) {
      R1_WGMMA(256, 128, "k16.f32.bf16.bf16", 128, 129, 130, ", 0, 1");
    } else {
      static_assert(N < 0, "no wgmma of this width is wrapped");
    }
  } else {
    if constexpr (N == 8) {
      R1_WGMMA(8, 4, "k16.f32.bf16.bf16", 4, 5, 6, ", 0, 0");
    } else if constexpr (N == 16) {
      R1_WGMMA(16, 8, "k16.f32.bf16.bf16", 8, 9, 10, ", 0, 0");
    } else if constexpr (N == 32) {
      R1_WGMMA(32, 16, "k16.f32.bf16.bf16", 16, 17, 18, ", 0, 0");
    } else if constexpr (N == 64) {
      R1_WGMMA(64, 32, "k16.f32.bf16.bf16", 32, 33, 34, ", 0, 0");
    } else if constexpr (N == 128) {
      R1_WGMMA(128, 64, "k16.f32.bf16.bf16", 64, 65, 66, ", 0, 0");
    } else if constexpr (N == 256) {
      R1_WGMMA(256, 128, "k16.f32.bf16.bf16", 128, 129, 130, ", 0, 0");
    } else {
      static_assert(N < 0, "no wgmma of this width is wrapped");
    }
  }
}

template <int N, Major kMajorB>
R1_DEV void wgmma_bf16(float (&d)[N / 2], const std::uint32_t (&a)[4], std::uint64_t db,
                       bool accumulate) {
  static_assert(kMajorB == Major::kMN, "the other form is not used");
  if constexpr (N == 64) {
    R1_WGMMA_RS(64, 32, "k16.f32.bf16.bf16", 32, 33, 34, 35, 36, 37, ", 1");
  } else if constexpr (N == 128) {
    R1_WGMMA_RS(128, 64, "k16.f32.bf16.bf16", 64, 65, 66, 67, 68, 69, ", 1");
  } else if constexpr (N == 256) {
    R1_WGMMA_RS(256, 128, "k16.f32.bf16.bf16", 128, 129, 130, 131, 132, 133, ", 1");
  } else {
    static_assert(N < 0, "no wgmma of this width is wrapped");
  }
}

}  // namespace r1eval::kernels::cuda

#undef R1_WGMMA
#undef R1_WGMMA_RS
