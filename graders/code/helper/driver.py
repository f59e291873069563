# The Python fork server of the sandbox: imports LiveCodeBench's prelude once, then forks a child a
# run. Runs with every layer of isolation already on. It is given programs and inputs, never expected
# outputs, and hands over what a program printed or returned, never a verdict.
#
# Runs under CPython and PyPy. Descriptors here: 3 the supervisor's socket, 4 this file, 5 (level C only) a Landlock ruleset.
# Where no server can be started an interpreter is started a run, with the request in R1EVAL_REQUEST and
# descriptors 3 program, 4 result, 5 this file.
# Request: a line "mode seed cpu_s memory address_space file_bytes alarm_s", then the function's name, with five descriptors: program, stdin, stdout, stderr, result.
import _socket
import array
import ast
import _sitebuiltins
import atexit
import fractions
import decimal
import enum
import gc
import linecache
import resource
import signal
import struct
import threading
import traceback
import types
import os
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics  # noqa: E401
import itertools, functools, operator, io, sys, json, builtins, typing  # noqa: E401

PROFILE = int(os.environ.pop('R1EVAL_PROFILE', '0'))  # wire::Profile
LCB, OFFICIAL, STRICT = 0, 1, 2
PRELOAD = os.environ.pop('R1EVAL_PRELOAD', '')
PYPY = sys.implementation.name == 'pypy'
EXIT_COMPILE_ERROR = 113  # the library knows these two
EXIT_MEMORY_ERROR = 114
SCRATCH = os.environ.get('TMPDIR', '/tmp')
RESULT = 4
INPUTS = 5

# LiveCodeBench (28fef95) puts these lines before every program, in this order.
PRELUDE = '\n'.join(
    ['from %s import *' % name for name in (
        'string re datetime collections heapq bisect copy math random statistics itertools functools '
        'operator io sys json builtins typing').split()] +
    ['import %s' % name for name in (
        'string re datetime collections heapq bisect copy math random statistics itertools functools '
        'operator io sys json').split()] +
    ['sys.setrecursionlimit(50000)', ''])


def make_module():
    """The module of the program to come. A fork has a copy anyway, so it is filled once, here: copying
    the prelude's names in every child would touch all the pages that they lie in."""
    module = types.ModuleType('__main__')
    module.__dict__['__builtins__'] = builtins
    if PROFILE != STRICT:
        exec(compile(PRELUDE, '<prelude>', 'exec'), module.__dict__)
        sys.setrecursionlimit(1000)
    return module


# The site module is not imported, yet scripts may call what it adds.
builtins.exit = _sitebuiltins.Quitter('exit', 'Ctrl-D (i.e. EOF)')
builtins.quit = _sitebuiltins.Quitter('quit', 'Ctrl-D (i.e. EOF)')

# Captured before any program runs, so that a program that replaces them changes nothing here.
_read, _write, _exit, _pread, _close, _dup2 = (
    os.read, os.write, os._exit, os.pread, os.close, os.dup2)
_loads = json.JSONDecoder().decode
_len, _type, _isinstance, _repr, _str, _format = len, type, isinstance, repr, str, format
_mro = type.__dict__['__mro__'].__get__
_dict_of = type.__dict__['__dict__'].__get__
_name_of = type.__dict__['__name__'].__get__
_setrecursionlimit = sys.setrecursionlimit
_set_digits = getattr(sys, 'set_int_max_str_digits', lambda n: None)
_unpack = struct.unpack
_pack = struct.pack
_exec = exec
_compile = compile

# ---------------------------------------------------------------------------------------------------
# Values. Format: graders/code/value.h.

MAX_DEPTH = 900
LIKE_LISTS = (('collections', 'UserList'), ('sortedcontainers.sortedlist', 'SortedList'),
              ('sortedcontainers.sortedlist', 'SortedKeyList'))
BASES = (bool, int, float, str, list, tuple, dict, set, frozenset)
BY_VALUE = (collections.OrderedDict, collections.Counter, collections.defaultdict)


def sized(tag, data):
    return tag + b'%d:' % _len(data) + data


def other(kind):
    return sized(b'o', _str.encode(_name_of(kind), 'utf-8', 'replace')[:200])


class NoValue(Exception):
    """A value whose comparison would raise."""


def encode(value, out, depth):
    kind = _type(value)
    base = None
    if kind in BASES or value is None:
        base = kind
    elif kind in BY_VALUE:
        base = dict
    else:
        # A subclass counts as its base unless it (or what it mixes in) decides equality by itself.
        for one in _mro(kind):
            if one in BASES:
                base = one
                break
            if one in BY_VALUE:
                base = dict
                break
            if '__eq__' in _dict_of(one) and one is not object:
                break
    if value is None:
        out.append(b'N')
    elif base is bool:
        out.append(b'T' if value is True else b'F')
    elif base is int:
        number = int.__index__(value)
        out.append(sized(b'i', _str.encode(_format(number, 'x'))))
    elif base is float:
        out.append(sized(b'd', _str.encode(float.hex(float.__float__(value)))))
    elif base is str:
        out.append(sized(b's', _str.encode(_str.__str__(value), 'utf-8', 'surrogatepass')))
    elif depth > MAX_DEPTH:
        out.append(other(kind))
    elif base is list or base is tuple:
        items = base.__getitem__(value, slice(None))
        out.append((b'l' if base is list else b't') + b'%d:' % _len(items))
        for item in items:
            encode(item, out, depth + 1)
    elif base is dict:
        pairs = list(dict.items(value))
        out.append(b'm%d:' % _len(pairs))
        for key, item in pairs:
            encode(key, out, depth + 1)
            encode(item, out, depth + 1)
    elif base is set or base is frozenset:
        items = list(base.__iter__(value))
        out.append(b'e%d:' % _len(items))
        for item in items:
            encode(item, out, depth + 1)
    elif (getattr(kind, '__module__', None), _name_of(kind)) in LIKE_LISTS:
        # Equal to a list of the same items. A class that only pretends to be one of these hands over
        # what it says its items are, which is its right.
        encode(list(value), out, depth + 1)
    elif kind is complex and value.imag == 0:
        encode(value.real, out, depth)
    elif kind is fractions.Fraction or kind is decimal.Decimal:
        # By value. What no integer and no float equals, equals nothing that a test can expect; an
        # exponent like 1e999999999 must not be written out on the way.
        if kind is decimal.Decimal and not value.is_finite():
            encode(math.nan if value.is_nan() else float(value), out, depth)
        elif kind is decimal.Decimal and abs(value.adjusted()) > 5000:
            out.append(other(kind))
        elif value == (value.__floor__() if kind is fractions.Fraction else
                       value.to_integral_value()):
            encode(int(value), out, depth)
        elif abs(value) < 1e300 and float(value) == value:
            encode(float(value), out, depth)
        else:
            out.append(other(kind))
    elif getattr(kind, '__module__', None) == 'numpy':
        if hasattr(kind, 'ndim') and kind.__name__ == 'ndarray':
            raise NoValue('ValueError: the truth value of an array is ambiguous')
        encode(kind.item(value), out, depth + 1)
    else:
        out.append(other(kind))


def encoded(value):
    _setrecursionlimit(50000)
    _set_digits(0)
    out = []
    encode(value, out, 0)
    return b''.join(out)


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[_write(fd, view):]


def describe(error):
    """Exception's type and text, whatever its __str__ does."""
    try:
        text = _str(error)
        if _type(text) is not _str:
            text = ''
    except BaseException:
        text = ''
    name = _name_of(_type(error))
    return _str.encode((name + ': ' + text if text else name)[:300], 'utf-8', 'replace')


# ---------------------------------------------------------------------------------------------------
# In the child.

def set_limits(cpu_s, memory, address_space, file_bytes):
    def lower(which, soft, hard):
        old = resource.getrlimit(which)[1]
        if old != resource.RLIM_INFINITY:
            soft, hard = min(soft, old), min(hard, old)
        resource.setrlimit(which, (soft, hard))
    lower(resource.RLIMIT_CPU, math.ceil(cpu_s) + 1, math.ceil(cpu_s) + 2)
    lower(resource.RLIMIT_FSIZE, file_bytes, file_bytes)
    lower(resource.RLIMIT_STACK, memory, memory)
    if address_space:
        lower(resource.RLIMIT_AS, address_space, address_space)


def read_descriptor(fd):
    size = 1 << 14  # most programs; a buffer for all would have to be mapped
    data = _pread(fd, size, 0)
    while _len(data) == size:
        size *= 8
        data = _pread(fd, size, 0)
    return data


def open_streams():
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, 'rb', closefd=False), 8192), 'utf-8', 'strict')
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, 'wb', closefd=False), 8192), 'utf-8', 'strict', '\n')
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, 'wb', closefd=False), 8192), 'utf-8', 'backslashreplace',
        '\n', line_buffering=True)
    for stream, mode in ((sys.stdin, 'r'), (sys.stdout, 'w'), (sys.stderr, 'w')):
        stream.mode = mode


def show_exception(error, source=''):
    """The traceback without the driver's own frames, as the interpreter would print it."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == '<driver>':
            trace = trace.tb_next
        error.__traceback__ = trace
        if sys.excepthook is sys.__excepthook__ and source and not _isinstance(error, MemoryError):
            # The interpreter looks for the lines in a file; there is none.
            linecache.cache['main.py'] = (
                _len(source), None, source.splitlines(True), 'main.py')
            traceback.print_exception(_type(error), error, trace)
            return
        sys.excepthook(_type(error), error, trace)
    except BaseException:
        pass


def finish(code, module, opens_files=True):
    """What the end of an interpreter does as far as a program can see, then the end."""
    try:
        threading._shutdown()
    except BaseException:
        code = code or 1
    try:
        atexit._run_exitfuncs()
    except BaseException:
        pass
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException as error:
            if stream is sys.stdout:
                show_exception(error)
                code = code or 120
    # Files that the program opened on its output and never closed write out when they die. The
    # prelude's names stay: dropping a thousand of them costs more than all else here.
    try:
        names = module.__dict__
        while _len(names) > N_NAMES:
            names.popitem()
        if not PYPY or opens_files:
            gc.collect()  # in PyPy it costs more than most runs
    except BaseException:
        pass
    try:
        own_stdout.flush()
    except BaseException:
        pass
    _exit(code)


def run_stdin(source):
    try:
        code = _compile(source, 'main.py', 'exec', dont_inherit=True)
    except BaseException as error:
        show_exception(error)
        sys.stderr.flush()
        _exit(EXIT_MEMORY_ERROR if _isinstance(error, MemoryError) else EXIT_COMPILE_ERROR)
    module = MODULE
    if PROFILE != STRICT:
        _setrecursionlimit(50000)
    module.__dict__['__file__'] = 'main.py'
    sys.modules['__main__'] = module
    sys.argv = ['main.py']
    status = 0
    try:
        _exec(code, module.__dict__)
    except SystemExit as error:
        if PROFILE == STRICT and error.code is not None:
            if _isinstance(error.code, int):
                status = error.code & 255
            else:
                status = 1
                try:
                    print(error.code, file=sys.stderr)
                except BaseException:
                    pass
    except BaseException as error:
        status = 1
        # The names of the failed frames hold memory that the report itself may need.
        if _isinstance(error, MemoryError):
            status = EXIT_MEMORY_ERROR
            traceback.clear_frames(error.__traceback__)
        show_exception(error, source)
        del error
    finish(status, module, 'open' in source)


def run_functional(source, fn_name):
    module = MODULE
    tag, data = b'E', b''
    arguments = []
    try:
        text = read_all(0).decode('utf-8', 'surrogatepass')
        null = os.open('/dev/null', os.O_RDONLY)
        _dup2(null, 0)
        _close(null)
        arguments = [_loads(line) for line in text.split('\n')]
    except BaseException as error:
        write_all(RESULT, b'A' + describe(error))
        _exit(0)
    try:
        code = _compile(source, 'main.py', 'exec', dont_inherit=True)
    except BaseException as error:
        show_exception(error)
        write_all(RESULT, (b'M' if _isinstance(error, MemoryError) else b'C') + describe(error))
        _exit(0)
    try:
        if PROFILE != STRICT:
            _setrecursionlimit(50000)
        module.__dict__['__name__'] = 'tmp_sol'
        sys.modules['tmp_sol'] = sys.modules['__main__'] = module
        _exec(code, module.__dict__)
        holder = module.Solution() if 'class Solution' in source else module
        value = getattr(holder, fn_name)(*arguments)
        data = encoded(value)
        tag = b'V'
    except BaseException as error:
        tag = b'M' if _isinstance(error, MemoryError) else b'E'
        data = describe(error)
        show_exception(error, source)
    write_all(RESULT, tag + data)
    _exit(0)


def read_all(fd):
    parts = []
    while True:
        part = _read(fd, 1 << 20)
        if not part:
            return b''.join(parts)
        parts.append(part)


# ---------------------------------------------------------------------------------------------------
# The official runner imitated: one process for all tests, a replaced standard input with its quirks,
# a wrapped program, an alarm that the program may swallow.

class TimeoutException(Exception):
    pass


class MockBuffer:
    def __init__(self, text):
        self.inputs = text.encode('utf-8', 'surrogatepass')

    def read(self, *args):
        return self.inputs

    def readline(self, *args):
        return self.inputs.split(b'\n')[0] + b'\n'


class MockStdin:
    """Whole input at every read(), an extra empty line from readlines(), no iteration."""

    def __init__(self, text):
        self.inputs = text
        self._stringio = io.StringIO(text)
        self.buffer = MockBuffer(text)

    def read(self, *args):
        return self.inputs

    def readline(self, *args):
        return self._stringio.readline(*args)

    def readlines(self, *args):
        return self.inputs.split('\n')

    def __getattr__(self, name):
        return getattr(self._stringio, name)


class Replaced:
    """What the official runner puts in place of the streams while a program's function runs. Its patches
    of single methods are made first, and so hit the stream from before: a program that imported that one by
    name finds its input there, in lines without their ends."""

    def __init__(self, text):
        self.old = sys.stdin, sys.stdout, builtins.open
        lines = iter(text.split('\n'))
        stream = sys.stdin
        stream.readline = lambda *args: next(lines)
        stream.readlines = lambda *args: text.split('\n')
        stream.read = lambda *args: text
        self.captured = io.StringIO()
        self.captured.close = lambda x: 1  # one argument too many, as there
        sys.stdin, sys.stdout = MockStdin(text), self.captured
        mocks = []

        def mock_open(*args, **named):
            if not mocks:
                import unittest.mock
                mocks.append(unittest.mock.mock_open(read_data=text))
            return mocks[0](*args, **named)

        builtins.open = mock_open

    def undo(self):
        sys.stdin, sys.stdout, builtins.open = self.old
        for name in ('readline', 'readlines', 'read'):
            try:
                delattr(sys.stdin, name)
            except AttributeError:
                pass


def guard_official():
    """The functions that the official runner takes away."""
    import shutil
    import subprocess
    for name in ('kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename '
                 'renames truncate replace unlink fchmod fchown chmod chown chroot lchown getcwd '
                 'chdir').split():
        setattr(os, name, None)
    builtins.quit = builtins.help = None
    for name in ('rmtree', 'move', 'chown'):
        setattr(shutil, name, None)
    subprocess.Popen = None
    for name in ('ipdb', 'joblib', 'resource', 'psutil', 'tkinter'):
        sys.modules[name] = None


def unwrap_main(source):
    try:
        tree = ast.parse(source)
        last = tree.body[-1]
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            return ast.unparse(tree.body[:-1]) + '\n' + ast.unparse(last.body)
    except Exception:
        pass
    return source


def wrap(source):
    try:
        tree = ast.parse(source)
        imports = [one for one in tree.body if isinstance(one, (ast.Import, ast.ImportFrom))]
        rest = [one for one in tree.body if not isinstance(one, (ast.Import, ast.ImportFrom))]
        function = ast.FunctionDef(
            name='wrapped_function', body=rest, decorator_list=[], lineno=-1,
            args=ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]))
        return PRELUDE + '\n' + ast.unparse(imports) + '\n' + ast.unparse(function)
    except Exception:
        return source


def record(tag, data):
    write_all(RESULT, tag + _pack('<Q', _len(data)) + data)


def next_input():
    head = b''
    while _len(head) < 8:
        part = _read(INPUTS, 8 - _len(head))
        if not part:
            return None
        head += part
    size = _unpack('<Q', head)[0]
    parts = []
    while size:
        part = _read(INPUTS, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= _len(part)
    return b''.join(parts).decode('utf-8', 'surrogatepass')


def run_official(source, is_functional, fn_name, seconds):
    alarm = signal.alarm

    def on_alarm(number, frame):
        print('alarm')  # the official one writes a line too: who swallows the exception is wrong by that
        raise TimeoutException

    signal.signal(signal.SIGALRM, on_alarm)
    null = os.open('/dev/null', os.O_RDONLY)
    _dup2(null, 0)
    _close(null)
    guard_official()
    module = types.ModuleType('tmp_sol', '')
    try:
        if is_functional:
            text = PRELUDE + '\n\n' + source
        else:
            text = wrap(unwrap_main(source))
            fn_name = 'wrapped_function'
        alarm(seconds)
        try:
            _exec(text, module.__dict__)
            holder = module.Solution() if 'class Solution' in text else module
        finally:
            alarm(0)
        method = getattr(holder, fn_name)
    except Exception as error:
        record(b'C', describe(error))
        _exit(0)
    while True:
        text = next_input()
        if text is None:
            _exit(0)
        if is_functional:
            try:
                arguments = [_loads(line) for line in text.split('\n')]
            except Exception as error:
                record(b'C', describe(error))
                _exit(0)
        else:
            replaced = Replaced(text)
        tag, data = b'E', b''
        alarm(seconds)
        try:
            if is_functional:
                value = method(*arguments)
                alarm(0)
                if getattr(_type(value), '__module__', '') == 'numpy' and \
                        _name_of(_type(value)) == 'ndarray':
                    # Compared element by element there, which is an error only after the comparison.
                    record(b'N', encoded(_type(value).tolist(value)))
                    continue
                data = encoded(value)
            else:
                try:
                    method()
                except SystemExit:
                    pass
                alarm(0)
            tag = b'V'
        except Exception as error:
            alarm(0)
            data = describe(error)
            tag = b'T' if 'timeoutexception' in _repr(error).lower() else b'E'
        finally:
            alarm(0)
        if not is_functional:
            replaced.undo()
            if tag == b'V':
                data = replaced.captured.getvalue().encode('utf-8', 'surrogatepass')
        record(tag, data)


# ---------------------------------------------------------------------------------------------------

def child(request, fds):
    if not REQUEST:
        os.setsid()  # a signal to the own process group must not reach this server
    program, stdin, stdout, stderr, result = fds
    mode, seed, cpu_s, memory, address_space, file_bytes, alarm_s, fn_name = request
    # Received descriptors are numbered from 6 on: nothing is overwritten before it was copied.
    if RULESET:
        # Level C: no namespace keeps a program from signalling this server, Landlock does.
        ctypes.CDLL(None).syscall(446, 5, 0)
    _dup2(stdin, 0)
    _dup2(stdout, 1)
    _dup2(stderr, 2)
    source = read_descriptor(program)
    if mode == 'functional':
        _dup2(result, RESULT)
        os.closerange(3, 4)
        os.closerange(5, 1 << 16)
    elif mode.startswith('official'):
        _dup2(result, RESULT)
        _dup2(stdin, INPUTS)
        os.closerange(3, 4)
        os.closerange(6, 1 << 16)
    os.chdir(SCRATCH)
    random.seed(seed)
    if NUMPY is not None:
        NUMPY.random.seed(seed & 0xffffffff)
    set_limits(cpu_s, memory, address_space, file_bytes)
    if PYPY and address_space:
        # It sets memory aside for all the depth that is asked for.
        sys.setrecursionlimit = lambda n: _setrecursionlimit(min(n, 300000))
    source = source.decode('utf-8', 'replace')
    # From here on what goes wrong is the program's: the library takes a run without this byte as ours.
    _write(result if mode == 'stdin' else RESULT, b'B')
    if mode == 'stdin':
        os.closerange(3, 1 << 16)
    if mode == 'functional':
        run_functional(source, fn_name)
    elif mode.startswith('official'):
        run_official(source, mode == 'official-functional', fn_name, alarm_s)
    else:
        run_stdin(source)


def read_request(text):
    head, fn_name = text.split('\n', 1)
    words = head.split(' ')
    return (words[0], int(words[1]), float(words[2]), int(words[3]), int(words[4]), int(words[5]),
            int(words[6]), fn_name)


def serve():
    supervisor = _socket.socket(fileno=3)
    supervisor.send(b'R')
    space = _socket.CMSG_SPACE(5 * 4)
    cloexec = getattr(_socket, 'MSG_CMSG_CLOEXEC', 0x40000000)  # unnamed in PyPy
    while True:
        data, ancillary, _, _ = supervisor.recvmsg(8192, space, cloexec)
        if not data:
            _exit(0)
        fds = array.array('i')
        for level, kind, content in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                fds.frombytes(content)
        request = read_request(data.decode('utf-8', 'surrogatepass'))
        try:
            pid = os.fork()
        except OSError as error:
            supervisor.send(b'F fork: ' + str(error).encode())
            for fd in fds:
                _close(fd)
            continue
        if pid == 0:
            try:
                child(request, fds)
            finally:
                _exit(112)
        for fd in fds:
            _close(fd)
        _, status, usage = os.wait4(pid, 0)
        cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        supervisor.send(b'E %d %d %d' % (status, cpu_us, usage.ru_maxrss))


REQUEST = os.environ.pop('R1EVAL_REQUEST', '')
try:
    os.fstat(5)
    RULESET = not REQUEST
except OSError:
    RULESET = False
if RULESET:
    import ctypes
sys.path[:] = [one for one in sys.path if one] + ['/usr/lib/python3/dist-packages']
open_streams()
own_stdout = sys.stdout
MODULE = make_module()
N_NAMES = len(MODULE.__dict__)
if PROFILE != STRICT:
    _set_digits(50000)
threading.stack_size(16 << 20)  # the main thread's may be as large as the memory limit
# Programs are children of this process, yet must not look like modules of it.
sys.modules.pop('__mp_main__', None)
NUMPY = None
if PRELOAD:
    try:
        import numpy as NUMPY
    except ImportError:
        pass
gc.collect()
if REQUEST:
    # One run in an interpreter of its own: the native server has put the descriptors into place.
    try:
        child(read_request(REQUEST), (3, 0, 1, 2, 4))
    finally:
        _exit(112)
if hasattr(gc, 'freeze'):  # PyPy has no such thing
    gc.freeze()
serve()
