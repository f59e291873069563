"""Takes each layer of isolation away from outside (a parent's seccomp filter, a mount), as containers and
hosts do, and looks whether `r1eval doctor` names it, falls to the right level, and still gives verdicts.

usage: missing_layers_test.py R1EVAL. Skipped (77) where the program gives no level A to begin with."""
import ctypes
import json
import os
import subprocess
import sys

program = sys.argv[1]
EPERM, ENOSYS = 1, 38
ALLOW = 0x7FFF0000


def denied(calls):
    """A filter that refuses calls: (name or number, errno, the argument to look at and its bits or None)."""
    class Compare(ctypes.Structure):
        _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

    masked_equal = 7
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                               ctypes.c_void_p]
    library.seccomp_load.argtypes = [ctypes.c_void_p]

    def install():
        rules = library.seccomp_init(ALLOW)
        for call, errno, bits in calls:
            number = call if isinstance(call, int) else library.seccomp_syscall_resolve_name(call.encode())
            if bits is None:
                failed = library.seccomp_rule_add_array(rules, 0x00050000 | errno, number, 0, None)
            else:
                compare = Compare(bits[0], masked_equal, bits[1], bits[1])
                failed = library.seccomp_rule_add_array(rules, 0x00050000 | errno, number, 1, ctypes.byref(compare))
            assert failed == 0, call
        assert library.seccomp_load(rules) == 0
    return install


def without_cgroups():
    """An empty folder over the control groups, in a mount namespace of the child's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x20000) == 0 and libc.mount(None, b"/", None, 0x44000, None) == 0
    assert libc.mount(b"tmpfs", b"/sys/fs/cgroup", b"tmpfs", 0, None) == 0


NEW_USER = 0x10000000
SETUPS = {
    "nothing": None,
    # clone3 hides its flags behind a pointer: containers say that it does not exist.
    "user namespaces": denied([("unshare", EPERM, (0, NEW_USER)), ("clone", EPERM, (0, NEW_USER)),
                               ("clone3", ENOSYS, None)]),
    "control groups": without_cgroups,
    "Landlock": denied([(444, ENOSYS, None), (445, ENOSYS, None), (446, ENOSYS, None)]),
    "seccomp": denied([("seccomp", EPERM, None), ("prctl", EPERM, (0, 22))]),  # PR_SET_SECCOMP
}


def ask(setup, words, **more):
    return subprocess.run([program] + words, preexec_fn=setup, capture_output=True, text=True, timeout=120, **more)


def doctor(name):
    answer = ask(SETUPS[name], ["doctor", "--json"])
    sandbox = json.loads(answer.stdout)["sandbox"]
    inactive = {layer["layer"]: layer["evidence"] for layer in sandbox["layers"] if not layer["active"]}
    print(f"without {name}: level {sandbox['level']}, inactive: {inactive}, advice: {sandbox['advice']!r}")
    return sandbox["level"], inactive, sandbox["advice"]


def run(name, flags=()):
    line = {"id": "x", "program": "print(int(input()) * 2)", "stdin": "21\n", "expected_stdout": "42\n"}
    return ask(SETUPS[name], ["sandbox", "run", *flags], input=json.dumps(line) + "\n")


def expect(what, holds):
    if not holds:
        print("does not hold:", what)
        sys.exit(1)


level, inactive, _ = doctor("nothing")
if level != "A":
    print("skipped: this machine gives no level A, so there is nothing to take away")
    sys.exit(77)
expect("level A names nothing", not inactive)

level, inactive, advice = doctor("user namespaces")
expect("without user namespaces the level is C", level == "C")
expect("every namespace is named", {"user namespace", "mount namespace", "pid namespace", "network namespace",
                                    "ipc namespace", "uts namespace", "cgroup namespace"} <= set(inactive))
expect("the reason names what was refused", "user namespace" in inactive["user namespace"])
expect("there is advice", advice != "")
done = run("user namespaces", ["--level", "B"])
expect("level B is refused and nothing runs", done.returncode == 5 and done.stdout == "")
done = run("user namespaces")
expect("level C gives a verdict", done.returncode == 0 and json.loads(done.stdout)["verdict"] == "OK")

level, inactive, _ = doctor("control groups")
expect("without control groups the level is B", level == "B")
expect("each group is named and nothing else",
       set(inactive) == {"memory cgroup", "pids cgroup", "cpu accounting cgroup"})
done = run("control groups")
expect("level B gives a verdict", done.returncode == 0 and json.loads(done.stdout)["verdict"] == "OK")

level, inactive, _ = doctor("Landlock")
expect("without Landlock the namespaces hold", level == "A" and set(inactive) == {"Landlock"})
done = run("Landlock")
expect("level A gives a verdict", done.returncode == 0 and json.loads(done.stdout)["verdict"] == "OK")

level, inactive, advice = doctor("seccomp")
expect("without seccomp nothing runs", level is None and "seccomp" in inactive)
expect("the advice is about seccomp", "seccomp" in advice)
done = run("seccomp")
expect("no verdict, and the environment's exit code", done.returncode == 5 and done.stdout == "")
