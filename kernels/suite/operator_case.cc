// Names of cases. See operator_case.h.
#include "kernels/suite/operator_case.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "kernels/operators/generator.h"
#include "kernels/suite/loads.h"

namespace r1eval::kernels {

const OperatorSpec& OperatorCase::spec() const {
  const OperatorSpec* found = find_operator(op);
  R1_CHECK(found != nullptr, op);
  return *found;
}

std::string OperatorCase::name() const {
  return op + (is_on_cpu() ? ".cpu/" : "/") + std::string(dtype_name(dtype)) + "/" + shape.text() +
         "/" + load + (cache == CacheState::kCold ? "/cold/" : "/hot/") + variant;
}

Result<OperatorCase> OperatorCase::parse(std::string_view name) {
  std::array<std::string_view, 6> part;
  std::string_view rest = name;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::size_t end = i + 1 < part.size() ? rest.find('/') : std::string_view::npos;
    if (i + 1 < part.size() && end == std::string_view::npos) {
      return fail(
          ErrorCode::kInvalidArgument,
          "case '" + std::string(name) + "': expected OPERATOR/DTYPE/SHAPE/LOAD/CACHE/VARIANT");
    }
    part[i] = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  const auto context = [&](const Error& error) {
    return error.with_context("case '" + std::string(name) + "'");
  };
  OperatorCase c;
  if (part[0].ends_with(".cpu")) {
    part[0].remove_suffix(4);
  }
  c.op = part[0];
  if (find_operator(c.op) == nullptr) {
    return context(fail(ErrorCode::kInvalidArgument, "no operator '" + c.op + "'"));
  }
  const auto dtype = parse_dtype(part[1]);
  if (!dtype) {
    return context(dtype.error());
  }
  c.dtype = dtype.value();
  auto shape = Shape::parse(part[2]);
  if (!shape) {
    return context(shape.error());
  }
  c.shape = std::move(shape).value();
  c.load = part[3];
  if (part[4] != "cold" && part[4] != "hot") {
    return context(fail(ErrorCode::kInvalidArgument,
                        "cache state '" + std::string(part[4]) + "': expected cold or hot"));
  }
  c.cache = part[4] == "cold" ? CacheState::kCold : CacheState::kHot;
  c.variant = part[5];
  if (c.variant.empty() || c.variant.find('/') != std::string::npos) {
    return context(fail(ErrorCode::kInvalidArgument, "no variant"));
  }
  if (const Status status = c.check(); !status) {
    return context(status.error());
  }
  return c;
}

Status OperatorCase::check() const {
  const OperatorSpec* spec = find_operator(op);
  if (spec == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "no operator '" + op + "'");
  }
  R1_RETURN_IF_ERROR(check_shape(*spec, dtype, shape));
  return check_load(*spec, shape, load);
}

float input_value(const OperatorCase& c, TensorId tensor, std::uint64_t index) {
  return scaled_value(c.op, tensor,
                      bell_value(tensor_stream(c.seed, static_cast<std::uint64_t>(tensor)), index));
}

}  // namespace r1eval::kernels
