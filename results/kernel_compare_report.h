// What a comparison of kernels says: for people, for machines, for a gate.
//
// The JSON object, which `gate --kernels` reads:
//   {"schema":1,"kind":"kernels","verdict":"pass|fail|inconclusive","exit":0|1|3,"base":…,"head":…,
//    "base_commit":…,"head_commit":…,"machine":…,"launches":[base,head],"alternating":bool,
//    "counts":{VERDICT:n},"cases":[{"case","verdict","confirmation","broken","why","base_ns",
//    "head_ns","pairs","slower_pairs","effect","ci":[lo,hi],"bound","cycles_effect","p_wilcoxon",
//    "p_sign","min_effect","noise_floor","confirm_effect","confirm_pairs"}],"differences":[…],
//    "notes":[…]}
// Effects are fractions (0.03: 3 % slower), times nanoseconds; null where there is none.
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "results/gate.h"
#include "results/kernel_compare.h"

namespace r1eval {

OrderedJson kernel_comparison_json(const KernelComparison& comparison, int exit_code);
// Everything but cases that are the same or identical is named; those only with `all`.
std::string kernel_comparison_text(const KernelComparison& comparison, bool all);
std::string kernel_comparison_markdown(const KernelComparison& comparison);

// The side gate "kernels" of a verdict file. Errors: kParse naming file and field.
Result<SideGate> kernel_side_gate(std::string_view bytes, const std::string& file);

}  // namespace r1eval
