#!/usr/bin/env python3
"""Speed of the embedded engine beside llama.cpp on the same GGUF file, in alternation.

    python3 -m venv peers && CMAKE_ARGS=-DGGML_NATIVE=ON peers/bin/pip install llama-cpp-python
    peers/bin/python scripts/compare_llama.py MODEL.gguf [--batch 1,8,32] [--threads 2]
        [--rounds 5] [--r1eval build/release/harness/r1eval] [--json FILE]

Both sides: B sequences with prompts of 16 tokens, then 32 steps of one fixed token each, logits of
every sequence asked for, no sampling; a prompt of 512 tokens for the prefill. A round is one
process of each side; ratios are of the medians. `wall` is tokens a second of time, `cpu` tokens a
second of processor time: on a machine that others use, compare `cpu` with --threads 1. The load
average when each round began is printed.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time

PROMPT, STEPS, PREFILL = 16, 32, 512


def token(row, i, vocab):
    return (row * 7919 + i * 37 + 11) % min(vocab, 32000)


def run_llama(path, batches, threads):
    import llama_cpp as ll

    quiet = ll.llama_log_callback(lambda *_: None)  # named: the library keeps no reference
    ll.llama_log_set(quiet, ctypes.c_void_p(0))
    ll.llama_backend_init()
    model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
    vocab = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))
    settings = ll.llama_context_default_params()
    widest = max(batches)
    settings.n_ctx = max(PREFILL + 8, widest * (PROMPT + STEPS + 16))
    settings.n_batch = settings.n_ubatch = max(PREFILL, widest)
    settings.n_seq_max = widest
    settings.kv_unified = True
    settings.n_threads = settings.n_threads_batch = threads
    context = ll.llama_init_from_model(model, settings)
    memory = ll.llama_get_memory(context)
    batch = ll.llama_batch_init(max(PREFILL, widest * PROMPT), 0, 1)

    def decode(entries):
        batch.n_tokens = len(entries)
        for i, (tok, position, sequence, logits) in enumerate(entries):
            batch.token[i] = tok
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = logits
        if ll.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        ll.llama_synchronize(context)

    def timed(work):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - wall, time.process_time() - cpu

    out = {}
    for n in batches:
        best = None
        for attempt in range(2):  # the first one warms up
            ll.llama_memory_clear(memory, True)
            for row in range(n):
                decode([(token(row, i, vocab), i, row, i == PROMPT - 1) for i in range(PROMPT)])

            def steps():
                for step in range(STEPS):
                    decode([(token(row, PROMPT + step, vocab), PROMPT + step, row, True)
                            for row in range(n)])

            best = timed(steps)
        out[f"decode {n}"] = {"wall": n * STEPS / best[0], "cpu": n * STEPS / best[1]}
    for attempt in range(2):
        ll.llama_memory_clear(memory, True)
        entries = [(token(0, i, vocab), i, 0, i == PREFILL - 1) for i in range(PREFILL)]
        wall, cpu = timed(lambda: decode(entries))
    out[f"prefill {PREFILL}"] = {"wall": PREFILL / wall, "cpu": PREFILL / cpu}
    return out


def run_ours(binary, path, batches, threads):
    def bench(*flags):
        command = [binary, "bench", "engine", "--model", path, "--threads", str(threads),
                   "--repeat", "1", "--json", *flags]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["results"]

    out = {}
    for row in bench("--batch", ",".join(map(str, batches)), "--prompt-tokens", str(PROMPT),
                     "--new-tokens", str(STEPS)):
        out[f"decode {row['batch']}"] = {"wall": row["tokens_per_s"], "cpu": row["tokens_per_cpu_s"]}
    row = bench("--batch", "1", "--prompt-tokens", str(PREFILL), "--new-tokens", "1")[0]
    out[f"prefill {PREFILL}"] = {"wall": row["prefill_tokens_per_s"],
                                 "cpu": row["prefill_tokens_per_cpu_s"]}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch", default="1,8,32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--r1eval", default="build/release/harness/r1eval")
    parser.add_argument("--json")
    parser.add_argument("--side", choices=["llama"], help=argparse.SUPPRESS)
    flags = parser.parse_args()
    batches = [int(n) for n in flags.batch.split(",")]
    if flags.side == "llama":
        print(json.dumps(run_llama(flags.model, batches, flags.threads)))
        return
    rounds = []
    for i in range(flags.rounds):
        load = os.getloadavg()[0]
        command = [sys.executable, __file__, flags.model, "--batch", flags.batch, "--threads",
                   str(flags.threads), "--side", "llama"]
        child = subprocess.run(command, check=True, capture_output=True)
        llama = json.loads(child.stdout.splitlines()[-1])
        ours = run_ours(flags.r1eval, flags.model, batches, flags.threads)
        rounds.append({"load": load, "llama": llama, "ours": ours})
        print(f"round {i + 1} of {flags.rounds}, load {load:.1f}", file=sys.stderr)
    print(f"{os.path.basename(flags.model)}, {flags.threads} threads, medians of {flags.rounds}, "
          f"load {min(r['load'] for r in rounds):.1f} to {max(r['load'] for r in rounds):.1f}")
    print("| case | llama.cpp tok/s | ours | ratio | llama.cpp tok/CPU-s | ours | ratio |")
    print("|---|---|---|---|---|---|---|")
    for case in rounds[0]["ours"]:
        cells = []
        for clock in ("wall", "cpu"):
            theirs = statistics.median(r["llama"][case][clock] for r in rounds)
            ours = statistics.median(r["ours"][case][clock] for r in rounds)
            cells += [f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.2f}"]
        print("| " + " | ".join([case, *cells]) + " |")
    if flags.json:
        with open(flags.json, "w", encoding="utf-8") as file:
            json.dump(rounds, file, indent=1)


if __name__ == "__main__":
    main()
