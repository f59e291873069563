#!/usr/bin/env python3
"""Grades answers from Python through r1eval's C interface (include/r1eval/grade.h).

usage: grade_ctypes.py PATH/TO/libr1eval_grade.so
"""
import ctypes
import sys


class Verdict(ctypes.Structure):
    _fields_ = [
        ("outcome", ctypes.c_int32),
        ("span_from", ctypes.c_int64),
        ("span_to", ctypes.c_int64),
        ("answer", ctypes.c_char_p),
        ("gold_form", ctypes.c_char_p),
        ("pred_form", ctypes.c_char_p),
        ("rule", ctypes.c_char_p),
        ("evidence", ctypes.c_char_p),
    ]


OUTCOMES = ["correct", "incorrect", "no_answer", "unscored"]


class Grader:
    """One handle; use one per thread."""

    def __init__(self, library, kind="math", profile="default"):
        self.library = library
        self.handle = library.r1eval_grader_new(kind.encode(), profile.encode(), 0)
        error = library.r1eval_grader_error(self.handle)
        if error:
            raise ValueError(error.decode())

    def __call__(self, gold, text):
        gold, text = gold.encode(), text.encode()
        verdict = Verdict()
        if self.library.r1eval_grade(self.handle, gold, len(gold), text, len(text), ctypes.byref(verdict)) != 0:
            raise ValueError(self.library.r1eval_grader_error(self.handle).decode())
        return OUTCOMES[verdict.outcome], verdict.answer.decode(), verdict.evidence.decode()

    def close(self):
        self.library.r1eval_grader_free(self.handle)


def load(path):
    library = ctypes.CDLL(path)
    library.r1eval_grader_new.restype = ctypes.c_void_p
    library.r1eval_grader_new.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    library.r1eval_grader_free.argtypes = [ctypes.c_void_p]
    library.r1eval_grader_error.restype = ctypes.c_char_p
    library.r1eval_grader_error.argtypes = [ctypes.c_void_p]
    library.r1eval_grade.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
        ctypes.POINTER(Verdict)]
    return library


def main():
    library = load(sys.argv[1])
    grade = Grader(library)
    pairs = [
        (r"\frac{3}{4}", r"<think>about 0.7</think>So it is $\boxed{0.75}$.", "correct"),
        ("12", r"The answer is \boxed{13}.", "incorrect"),
        ("12", "<think>I have to go on", "no_answer"),
        ("x^2-1", r"\boxed{(x-1)(x+1)}", "correct"),
    ]
    failed = 0
    for gold, text, expected in pairs:
        outcome, answer, evidence = grade(gold, text)
        print(f"{outcome:10} gold {gold:12} answer {answer!r} ({evidence})")
        failed += outcome != expected
    grade.close()
    choose = Grader(library, "choice")
    outcome, answer, _ = choose("C", "A looks right at first, but the answer is (C).")
    print(f"{outcome:10} gold C            answer {answer!r}")
    failed += outcome != "correct"
    choose.close()
    try:
        Grader(library, "math", "no-such-profile")
        failed += 1
    except ValueError as error:
        print("refused:", error)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
