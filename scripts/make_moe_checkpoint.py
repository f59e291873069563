#!/usr/bin/env python3
"""Writes a random DeepSeek checkpoint for measuring: V2-Lite's widths, few layers, Q8_0, as GGUF.

    scripts/make_moe_checkpoint.py OUT.gguf [--layers 6] [--experts 64] [--vocab 102400] [--seed 1]
    r1eval bench engine --model OUT.gguf --batch 1,8,32

One dense layer, then mixtures of 64 experts (6 a token, 2 shared), latent attention with a query latent
of 1536 (llama.cpp asks for one in models of other depths than V2-Lite's), no tokenizer. With the
defaults 3.5 GB. Needs nothing beyond Python; the values are random bytes with a fixed scale, which makes
weights of about the variance that keeps activations in range; routers are normal, so that tokens spread
over the experts.
"""
import argparse
import os
import random
import struct

ALIGNMENT = 32
F32, Q8_0 = 0, 8
SCALE = struct.pack("<H", 0x0C00)  # 2^-12 as a half: bytes of deviation 74 become values of 0.018
CHUNK = 1 << 16  # blocks at a time


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, value):
    if isinstance(value, bool):
        return string(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return string(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return string(key) + struct.pack("<If", 6, value)
    return string(key) + struct.pack("<I", 8) + string(value)


def tensor_bytes(kind, shape):
    count = 1
    for extent in shape:
        count *= extent
    return count * 4 if kind == F32 else count // 32 * 34


def padded(size):
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def write_q8(out, rng, n_blocks):
    while n_blocks > 0:
        n = min(n_blocks, CHUNK)
        data = bytearray(rng.randbytes(34 * n))
        data[0::34] = SCALE[:1] * n
        data[1::34] = SCALE[1:] * n
        out.write(data)
        n_blocks -= n


def write_values(out, rng, name, count):
    if name.endswith("norm.weight"):
        values = [1.0] * count
    else:
        values = [rng.gauss(0.0, 0.05) for _ in range(count)]
    out.write(struct.pack(f"<{count}f", *values))


def tensors(args, d, heads, nope, rope, value, rank, q_rank, inner, shared, dense):
    yield "token_embd.weight", Q8_0, (d, args.vocab)
    yield "output_norm.weight", F32, (d,)
    yield "output.weight", Q8_0, (d, args.vocab)
    for i in range(args.layers):
        at = f"blk.{i}."
        yield at + "attn_norm.weight", F32, (d,)
        yield at + "attn_q_a.weight", Q8_0, (d, q_rank)
        yield at + "attn_q_a_norm.weight", F32, (q_rank,)
        yield at + "attn_q_b.weight", Q8_0, (q_rank, heads * (nope + rope))
        yield at + "attn_kv_a_mqa.weight", Q8_0, (d, rank + rope)
        yield at + "attn_kv_a_norm.weight", F32, (rank,)
        yield at + "attn_k_b.weight", Q8_0, (nope, rank, heads)
        yield at + "attn_v_b.weight", Q8_0, (rank, value, heads)
        yield at + "attn_output.weight", Q8_0, (heads * value, d)
        yield at + "ffn_norm.weight", F32, (d,)
        if i == 0:
            yield at + "ffn_gate.weight", Q8_0, (d, dense)
            yield at + "ffn_up.weight", Q8_0, (d, dense)
            yield at + "ffn_down.weight", Q8_0, (dense, d)
            continue
        yield at + "ffn_gate_inp.weight", F32, (d, args.experts)
        yield at + "ffn_gate_exps.weight", Q8_0, (d, inner, args.experts)
        yield at + "ffn_up_exps.weight", Q8_0, (d, inner, args.experts)
        yield at + "ffn_down_exps.weight", Q8_0, (inner, d, args.experts)
        yield at + "ffn_gate_shexp.weight", Q8_0, (d, shared)
        yield at + "ffn_up_shexp.weight", Q8_0, (d, shared)
        yield at + "ffn_down_shexp.weight", Q8_0, (shared, d)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--experts", type=int, default=64)
    parser.add_argument("--vocab", type=int, default=102400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    d, heads, nope, rope, value, rank, q_rank = 2048, 16, 128, 64, 128, 512, 1536
    inner, shared, dense = 1408, 2 * 1408, 10944
    a = "deepseek2."
    keys = {
        "general.architecture": "deepseek2",
        "general.name": "random, DeepSeek-V2-Lite's widths",
        "general.file_type": 7,
        "tokenizer.ggml.model": "none",
        a + "vocab_size": args.vocab,
        a + "block_count": args.layers,
        a + "context_length": 4096,
        a + "embedding_length": d,
        a + "feed_forward_length": dense,
        a + "attention.head_count": heads,
        a + "attention.head_count_kv": 1,
        a + "attention.layer_norm_rms_epsilon": 1e-6,
        a + "attention.q_lora_rank": q_rank,
        a + "attention.kv_lora_rank": rank,
        a + "attention.key_length": rank + rope,
        a + "attention.value_length": rank,
        a + "attention.key_length_mla": nope + rope,
        a + "attention.value_length_mla": value,
        a + "rope.dimension_count": rope,
        a + "rope.freq_base": 10000.0,
        a + "leading_dense_block_count": 1,
        a + "expert_count": args.experts,
        a + "expert_used_count": 6,
        a + "expert_shared_count": 2,
        a + "expert_feed_forward_length": inner,
        a + "expert_weights_scale": 1.0,
        a + "expert_weights_norm": False,
        a + "expert_gating_func": 1,
    }
    directory = b""
    offset = 0
    wanted = list(tensors(args, d, heads, nope, rope, value, rank, q_rank, inner, shared, dense))
    for name, kind, shape in wanted:
        directory += string(name) + struct.pack("<I", len(shape))
        directory += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
        offset += padded(tensor_bytes(kind, shape))
    rng = random.Random(args.seed)
    partial = args.out + ".part"
    with open(partial, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(wanted), len(keys)))
        for key, content in keys.items():
            out.write(entry(key, content))
        out.write(directory)
        out.write(b"\0" * (padded(out.tell()) - out.tell()))
        for name, kind, shape in wanted:
            size = tensor_bytes(kind, shape)
            if kind == Q8_0:
                write_q8(out, rng, size // 34)
            else:
                write_values(out, rng, name, size // 4)
            out.write(b"\0" * (padded(size) - size))
    os.replace(partial, args.out)


if __name__ == "__main__":
    main()
