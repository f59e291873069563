// See paged_attention.h.
#include "engine/cpu/layers/paged_attention.h"

#include <array>
#include <vector>

namespace r1eval::cpu {

namespace {

void attend_block(const Step& step, std::int64_t layer, std::int64_t block, std::int64_t kv_head,
                  const PagedAttention& attention) {
  const KvShape& shape = step.cache->shape();
  const std::int64_t heads_per_kv = step.config->n_heads / shape.n_kv_heads;
  thread_local std::vector<float> scratch;
  const std::int64_t n_scratch =
      kernels::attention_scratch_floats(shape.head_dim, shape.value_dim(), shape.row_stride());
  if (static_cast<std::int64_t>(scratch.size()) < n_scratch) {
    scratch.resize(static_cast<std::size_t>(n_scratch));
  }
  std::array<kernels::AttentionColumn, kernels::kMaxAttentionColumns> columns;
  kernels::AttentionTask task;
  for (const AttentionPlan::Column& at : step.attention->block(block)) {
    const StepToken& t = step.tokens[static_cast<std::size_t>(at.token)];
    const std::int64_t head = kv_head * heads_per_kv + at.head;
    columns[static_cast<std::size_t>(task.n_columns++)] = {
        attention.queries + at.token * attention.query_stride + head * shape.head_dim,
        attention.out + at.token * attention.out_stride + head * attention.out_dim, t.pages,
        t.position + 1};
  }
  task.columns = columns.data();
  task.head_dim = shape.head_dim;
  task.value_dim = shape.value_dim();
  task.row_stride = shape.row_stride();
  task.out_dim = attention.out_dim;
  task.scale = step.config->attention_scale;
  task.cache_is_f16 = shape.is_f16;
  task.keys = step.cache->keys(layer, kv_head);
  task.values = step.cache->values(layer, kv_head);
  task.key_page_stride = shape.key_page_stride();
  task.value_page_stride = shape.value_page_stride();
  task.scratch = scratch.data();
  step.kernels->attend(task);
}

}  // namespace

void attend_to_cache(const Step& step, std::int64_t layer, const PagedAttention& attention) {
  const std::int64_t n_kv_heads = step.cache->shape().n_kv_heads;
  const std::int64_t n_items = step.attention->n_blocks() * n_kv_heads;
  step.timed(&StepTimes::attention_s, [&] {
    step.team->phase(n_items, grain_for(n_items, 4 * step.team->size(), 1),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t item = begin; item < end; ++item) {
                         attend_block(step, layer, item / n_kv_heads, item % n_kv_heads, attention);
                       }
                     });
  });
}

}  // namespace r1eval::cpu
