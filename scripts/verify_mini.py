#!/usr/bin/env python3
"""Checks every answer of the built-in sets (tasks/mini/*.jsonl) independently of the files.

Mathematics is computed anew; choices are computed where that is possible and otherwise compared with a
table of facts that gives the reason; programs are run on all their tests. Standard library only.
Exit status 1 names the items that do not hold.
"""
import collections
import itertools
import json
import math
import pathlib
import subprocess
import sys
from fractions import Fraction as F

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tasks" / "mini"


def load(name):
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def text(number):
    return str(int(number))


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1))


def frac(value):
    value = F(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def root(n):
    """The square root of n, simplified."""
    outside = max(k for k in range(1, math.isqrt(n) + 1) if n % (k * k) == 0)
    inside = n // (outside * outside)
    if inside == 1:
        return str(outside)
    return (str(outside) if outside > 1 else "") + f"\\sqrt{{{inside}}}"


def as_set(values):
    return "\\{" + ",".join(str(v) for v in sorted(values)) + "\\}"


def interval(ends):
    return f"[{min(ends)},{max(ends)}]"


def matrix(rows):
    lines = [" & ".join(str(v) for v in row) for row in rows]
    return "\\begin{pmatrix} " + " \\\\ ".join(lines) + " \\end{pmatrix}"


def product(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def inverse(a):
    (p, q), (r, s) = a
    d = F(p * s - q * r)
    return [[s / d, -q / d], [-r / d, p / d]]


def convolve(a, b):
    out = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out


def derivative(coefficients):
    n = len(coefficients) - 1
    return [c * (n - i) for i, c in enumerate(coefficients[:-1])]


def poly(coefficients):
    """Coefficients from the highest power down, as LaTeX."""
    out = ""
    n = len(coefficients) - 1
    for i, c in enumerate(coefficients):
        power = n - i
        if c == 0:
            continue
        sign = "-" if c < 0 else ("+" if out else "")
        size = str(abs(c)) if abs(c) != 1 or power == 0 else ""
        out += sign + size + ("" if power == 0 else "x" if power == 1 else f"x^{power}")
    return out or "0"


def sequence(first, second, n):
    a, b = first, second
    for _ in range(n - 1):
        a, b = b, a + b
    return a


def run_solution(program, function, given):
    """Runs one of our own solutions, in a process of its own."""
    if function:
        program += (
            "\nimport json, sys\n"
            "arguments = [json.loads(line) for line in sys.stdin.read().splitlines()]\n"
            f"print(json.dumps(Solution().{function}(*arguments)))\n"
        )
    done = subprocess.run([sys.executable, "-c", program], input=given, text=True,
                          capture_output=True, timeout=20, check=False)
    return done.stdout if done.returncode == 0 else "error: " + done.stderr[-200:]


# id -> how the answer comes about
COMPUTED = {
    'math-001': lambda: text(12 + 7),
    'math-002': lambda: text(45 - 18),
    'math-003': lambda: text(6 * 8),
    'math-004': lambda: text(81 // 9),
    'math-005': lambda: text(100 - 64),
    'math-006': lambda: text(7 + 8 + 9),
    'math-007': lambda: text(12 * 5),
    'math-008': lambda: text(30 - 11),
    'math-009': lambda: text(9 ** 2),
    'math-010': lambda: text(2 ** 5),
    'math-011': lambda: text(50 // 2),
    'math-012': lambda: text(3 * 15),
    'math-013': lambda: text(-8 + 3),
    'math-014': lambda: text(4 * 7 - 6),
    'math-015': lambda: text((5 + 3) * 4),
    'math-016': lambda: text(47 % 6),
    'math-017': lambda: text(math.gcd(48, 36)),
    'math-018': lambda: text(math.lcm(8, 12)),
    'math-019': lambda: text(sum(is_prime(n) for n in range(1, 21))),
    'math-020': lambda: text(sum(range(1, 41))),
    'math-021': lambda: text(math.factorial(5)),
    'math-022': lambda: text(math.comb(8, 3)),
    'math-023': lambda: text(pow(7, 2023, 10)),
    'math-024': lambda: text(sum(360 % d == 0 for d in range(1, 361))),
    'math-025': lambda: text(next(n for n in range(1, 400) if (n % 5, n % 7, n % 9) == (2, 3, 4))),
    'math-026': lambda: text(sum(n % 2 != 0 and n % 5 != 0 for n in range(1, 1001))),
    'math-027': lambda: frac(F(1, 2) + F(1, 4)),
    'math-028': lambda: frac(F(2, 3) * 12),
    'math-029': lambda: frac(F(1, 2) + F(1, 3)),
    'math-030': lambda: frac(F(3, 4) * F(2, 9)),
    'math-031': lambda: frac(F(5, 6) - F(3, 8)),
    'math-032': lambda: frac(F(2, 3) / F(4, 5)),
    'math-033': lambda: frac(F('0.375')),
    'math-034': lambda: frac(F(27, 99)),
    'math-035': lambda: frac(F(1, 3) / (1 - F(1, 3))),
    'math-036': lambda: frac(F(sum(a + b == 7 for a in range(1, 7) for b in range(1, 7)), 36)),
    'math-037': lambda: frac(F(sum(sum(t) == 2 for t in itertools.product((0, 1), repeat=3)), 8)),
    'math-038': lambda: root(49),
    'math-039': lambda: root(50),
    'math-040': lambda: root(75) if abs(12 ** .5 + 27 ** .5 - 75 ** .5) < 1e-12 else 'wrong',
    'math-041': lambda: root(6 * 6 + 6 * 6),
    'math-042': lambda: root(F(36, 3).numerator),
    'math-043': lambda: root(5 * 5 + 12 * 12),
    'math-044': lambda: root((5 - 1) ** 2 + (8 - 2) ** 2),
    'math-045': lambda: '(' + text(3 + 2) + ',\\infty)',
    'math-046': lambda: f'[{-4},{4}]',
    'math-047': lambda: f'({-math.isqrt(9)},{math.isqrt(9)})',
    'math-048': lambda: f'[0,{(7 - 1) // 2}]',
    'math-049': lambda: interval([x for x in range(-50, 51) if x * x - 5 * x + 6 == 0]),
    'math-050': lambda: as_set(x for x in range(-20, 21) if x * x == 16),
    'math-051': lambda: as_set(x for x in range(-50, 51) if x * x - 7 * x + 10 == 0),
    'math-052': lambda: as_set(d for d in range(1, 11) if 10 % d == 0),
    'math-053': lambda: as_set(n for n in range(12) if is_prime(n)),
    'math-054': lambda: as_set(x for x in range(-9, 10) if x ** 3 - x == 0),
    'math-055': lambda: matrix([[1 + 5, 2 + 6], [3 + 7, 4 + 8]]),
    'math-056': lambda: matrix(product([[1, 2], [3, 4]], [[2, 0], [1, 2]])),
    'math-057': lambda: text(4 * 5 - 3 * 2),
    'math-058': lambda: matrix(inverse([[2, 1], [1, 1]])),
    'math-059': lambda: f'({2 * 1 + 4},{2 * -3 + 5})',
    'math-060': lambda: poly(convolve([1, 2], [1, 3])),
    'math-061': lambda: poly(convolve([2, -1], [2, -1])),
    'math-062': lambda: poly([3 - 1, 5 + 2]),
    'math-063': lambda: poly(derivative([1, 0, 2, 0])),
    'math-064': lambda: poly([1, 3]) if convolve([1, 3], [1, -3]) == [1, 0, -9] else 'wrong',
    'math-065': lambda: frac(F(19 - 4, 3)),
    'math-066': lambda: frac(F(7 - 1, 2 - 0)),
    'math-067': lambda: text(5 * 5 - 3 * 5 + 4),
    'math-068': lambda: text(3 * 100) + '\\text{ cm}',
    'math-069': lambda: text(2 * 60) + '\\text{ minutes}',
    'math-070': lambda: frac(F(150) / F('2.5')),
    'math-071': lambda: text(4 * 7) + '\\text{ m}^2',
    'math-072': lambda: text(3 ** 2) + '\\pi',
    'math-073': lambda: text(180 - 50 - 60) + '^\\circ',
    'math-074': lambda: frac(F(10, 100) * 200),
    'math-075': lambda: frac(F(25, 100) * 80),
    'math-076': lambda: frac(60 * (1 - F(15, 100))),
    'math-077': lambda: frac(F(8, 50) * 100) + '\\%',
    'math-078': lambda: frac((1 - F(120, 100) * F(80, 100)) * 100) + '\\%',
    'aime-01': lambda: text(sum(math.gcd(a, b) == 1 for a in range(1, 20) for b in range(1, 21 - a))),
    'aime-02': lambda: text((pow(3, 100, 1000) + pow(5, 100, 1000)) % 1000),
    'aime-03': lambda: text(sum(str(n)[0] < str(n)[1] < str(n)[2] for n in range(100, 1000))),
    'aime-04': lambda: text(sum(n for n in range(1, 100) if (n * n + 1) % 5 == 0 and n % 3 == 0) % 1000),
    'aime-05': lambda: text(math.comb(10, 5) - math.comb(4, 2) * math.comb(6, 3)),
    'aime-06': lambda: text(sum(all(not (s >> i & 3) == 3 for i in range(9)) for s in range(1024))),
    'aime-07': lambda: text(sum(100 // 2 ** k for k in range(1, 8))),
    'aime-08': lambda: text(sum(12 * (x + y) == x * y for x in range(13, 25) for y in range(x, 200))),
    'aime-09': lambda: text(next(n for n in range(7, 10 ** 6, 7) if sum(map(int, str(n))) == 20) % 1000),
    'aime-10': lambda: text(sequence(1, 3, 20) % 1000),
    'aime-11': lambda: text(sum(sum(n % d == 0 for d in range(1, n + 1)) in (3, 5) for n in range(1, 1000))),
    'aime-12': lambda: text((lambda f: f.numerator + f.denominator)(F(sum(len(set(r)) == 4 and max(r) - min(r) == 3 for r in itertools.product(range(1, 7), repeat=4)), 6 ** 4))),
    'mmlu-07': lambda: '8',
    'mmlu-10': lambda: [x for x in ('17', '15', '21', '27') if is_prime(int(x))][0],
    'mmlu-16': lambda: text(int('1010', 2)),
    'gpqa-01': lambda: 'E/' + text(2 ** 2),
    'gpqa-02': lambda: text(2 * 1 + 1),
    'gpqa-03': lambda: '1/' + text(round(8 ** (2 / 3))),
    'gpqa-04': lambda: text(round(1 - math.cos(math.pi))),
    'gpqa-05': lambda: text(round(938.272 / 0.510999 / 100) * 100),
    'gpqa-06': lambda: 'sqrt(' + text(3 ** 2 - 1) + ')',
    'gpqa-07': lambda: '1/' + text(2 ** (40 // 10)),
    'gpqa-10': lambda: text(-round(math.log10(0.010 / 100))),
    'gpqa-12': lambda: '1.0e' + text(round(math.log10(1.0e-10 / 0.010))) + ' mol/L',
    'gpqa-13': lambda: text(round(2 * 0.3 * 0.7 * 100)) + ' percent',
    'gpqa-14': lambda: '1/' + text(4 * 4),
    'gpqa-15': lambda: text(900 // 3 - 1),
    'gpqa-16': lambda: text(16 * 2),
}

# id -> (right choice, why)
FACTS = {
    'mmlu-01': ('Carbon dioxide',
        'photosynthesis binds CO2 and gives off O2'),
    'mmlu-02': ('Newton',
        '1 N = 1 kg m/s^2'),
    'mmlu-03': ('Mercury',
        'order of the planets by distance'),
    'mmlu-04': ('Nucleus',
        'eukaryotic DNA lies in the nucleus'),
    'mmlu-05': ('Au',
        'from Latin aurum'),
    'mmlu-06': ('It halves',
        'wavelength = c / frequency'),
    'mmlu-07': ('8',
        'an octet has 8 bits'),
    'mmlu-08': ('Stack',
        'a stack is last in, first out'),
    'mmlu-09': ('180 degrees',
        'Euclid I.32'),
    'mmlu-10': ('17',
        '17 has no divisor but 1 and itself; 15=3*5, 21=3*7, 27=3^3'),
    'mmlu-11': ('Red blood cells',
        'haemoglobin lies in red blood cells'),
    'mmlu-12': ('100 degrees Celsius',
        'boiling point at standard pressure'),
    'mmlu-13': ('7',
        'equal concentrations of H+ and OH-'),
    'mmlu-14': ('A star',
        'it shines by fusion'),
    'mmlu-15': ('Resistance',
        'the ohm is the unit of resistance'),
    'mmlu-16': ('10',
        '8 + 2'),
    'mmlu-17': ('1945',
        'surrenders of May and September 1945'),
    'mmlu-18': ('George Washington',
        'in office from 1789'),
    'mmlu-19': ('Socrates',
        "Plato's dialogues"),
    'mmlu-20': ('William Shakespeare',
        'First Quarto of 1603'),
    'mmlu-21': ('The ancient Egyptians',
        'Fourth Dynasty of Egypt'),
    'mmlu-22': ('The defendant',
        'definition'),
    'mmlu-23': ('This plant is a flower',
        'syllogism in Barbara'),
    'mmlu-24': ('The Berlin Wall',
        'built in August 1961, opened in November 1989'),
    'mmlu-25': ('The Quran',
        'definition'),
    'mmlu-26': ('Rene Descartes',
        'Discourse on the Method, 1637'),
    'mmlu-27': ('Italy',
        'Florence in the 14th century'),
    'mmlu-28': ('It sets out the basic rules of a state',
        'definition'),
    'mmlu-29': ('Leonardo da Vinci',
        'painted from 1503'),
    'mmlu-30': ('The Atlantic Ocean',
        'from Palos to the Bahamas'),
    'mmlu-31': ('Some cat is not black',
        'not for-all is there-is-not'),
    'mmlu-32': ('A sonnet',
        'definition'),
    'mmlu-33': ('It rises',
        'shift of the demand curve'),
    'mmlu-34': ('Paris',
        'seat of government'),
    'mmlu-35': ('The Pacific Ocean',
        'about 165 million square kilometres'),
    'mmlu-36': ('A general rise of prices',
        'definition'),
    'mmlu-37': ('Ivan Pavlov',
        "Pavlov's work on digestion and reflexes"),
    'mmlu-38': ('The citizens',
        'definition'),
    'mmlu-39': ('The movement of people from one place to another',
        'definition'),
    'mmlu-40': ('Africa',
        'but for the Sinai it lies in Africa'),
    'mmlu-41': ('A tariff',
        'definition'),
    'mmlu-42': ('Short-term memory',
        'definition'),
    'mmlu-43': ('Two',
        'bi- means two'),
    'mmlu-44': ('The equator',
        'latitude 0'),
    'mmlu-45': ('The best alternative that is given up',
        'definition'),
    'mmlu-46': ('A count of a population',
        'definition'),
    'mmlu-47': ('Water',
        'definition of an island'),
    'mmlu-48': ('The Security Council',
        'Charter, article 27'),
    'mmlu-49': ('The heart',
        'anatomy'),
    'mmlu-50': ('Protein',
        'muscle is protein'),
    'mmlu-51': ('Assets and liabilities',
        'definition'),
    'mmlu-52': ('Cool it with running water',
        'first-aid guidance'),
    'mmlu-53': ('366',
        'one day more than 365'),
    'mmlu-54': ('Green',
        'subtractive mixing'),
    'mmlu-55': ('In the pancreas',
        'beta cells of the islets'),
    'mmlu-56': ('Revenue minus costs',
        'definition'),
    'mmlu-57': ('Vitamin D',
        'from 7-dehydrocholesterol'),
    'mmlu-58': ('Six',
        'hexa means six'),
    'mmlu-59': ('Reproduce without a host cell',
        'viruses use the machinery of cells'),
    'mmlu-60': ('The piano',
        'construction of the piano'),
    'mmlu-61': ('East',
        'the Earth turns eastward'),
    'mmlu-62': ('A founder',
        'definition'),
    'mmlu-63': ('Two',
        'anatomy'),
    'mmlu-64': ('Ice',
        'definition'),
    'gpqa-01': ('E/4',
        'adiabatic: it stays in the ground state, whose energy goes as 1/L^2'),
    'gpqa-02': ('3',
        '2S+1'),
    'gpqa-03': ('1/4',
        'T V^(2/3) is constant, 8^(2/3)=4'),
    'gpqa-04': ('2',
        '1 - cos 180 = 2'),
    'gpqa-05': ('1800',
        '938.27 MeV / 0.511 MeV = 1836'),
    'gpqa-06': ('sqrt(8)',
        'p^2 c^2 = E^2 - m^2 c^4 = 8 m^2 c^4'),
    'gpqa-07': ('1/16',
        'four half-lives'),
    'gpqa-08': ('3',
        'two stereocentres, of which one pair is meso: RR, SS, meso'),
    'gpqa-09': ('sp',
        'two sigma partners, linear'),
    'gpqa-10': ('4',
        '1e-4 mol/L'),
    'gpqa-11': ('d5',
        '3 * (-0.4) + 2 * 0.6 = 0'),
    'gpqa-12': ('1.0e-8 mol/L',
        '1e-10 / 1e-2'),
    'gpqa-13': ('42 percent',
        'q = 0.3, 2pq = 0.42'),
    'gpqa-14': ('1/16',
        '1/4 * 1/4'),
    'gpqa-15': ('299',
        '300 codons, of which the last is the stop'),
    'gpqa-16': ('32',
        '16 chromosomes of two chromatids each'),
}

# id -> a program that solves the item
SOLUTIONS = {
    'code-01': 'a, b = map(int, input().split())\nprint(a + b)\n',
    'code-02': 'print(input()[::-1])\n',
    'code-03': 'input()\nprint(max(map(int, input().split())))\n',
    'code-04': "print(sum(c in 'aeiou' for c in input()))\n",
    'code-05': 'n = int(input())\nprint(sum(i for i in range(n) if i % 3 == 0 or i % 5 == 0))\n',
    'code-06': "stack = []\nok = True\nfor c in input().strip():\n    if c in '([':\n        stack.append(c)\n    elif not stack or stack.pop() + c not in ('()', '[]'):\n        ok = False\nprint('YES' if ok and not stack else 'NO')\n",
    'code-07': 's, n = map(int, input().split())\ncoins = list(map(int, input().split()))\nbest = [0] + [10 ** 9] * s\nfor v in range(1, s + 1):\n    for c in coins:\n        if c <= v and best[v - c] + 1 < best[v]:\n            best[v] = best[v - c] + 1\nprint(best[s] if best[s] < 10 ** 9 else -1)\n',
    'code-08': "from collections import deque\nr, c = map(int, input().split())\ng = [input().strip() for _ in range(r)]\nseen = {(0, 0): 0}\nq = deque([(0, 0)])\nwhile q:\n    y, x = q.popleft()\n    for a, b in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):\n        if 0 <= a < r and 0 <= b < c and g[a][b] == '.' and (a, b) not in seen:\n            seen[a, b] = seen[y, x] + 1\n            q.append((a, b))\nprint(seen.get((r - 1, c - 1), -1))\n",
    'code-09': 'class Solution:\n    def addDigits(self, n):\n        return sum(map(int, str(n)))\n',
    'code-10': 'class Solution:\n    def isPalindrome(self, s):\n        return s.lower() == s.lower()[::-1]\n',
    'code-11': 'class Solution:\n    def pair(self, nums, target):\n        for j in range(len(nums)):\n            for i in range(j):\n                if nums[i] + nums[j] == target:\n                    return [i, j]\n',
    'code-12': 'class Solution:\n    def running(self, nums):\n        out, s = [], 0\n        for x in nums:\n            s += x\n            out.append(s)\n        return out\n',
    'code-13': 'import itertools\nclass Solution:\n    def longestRun(self, s):\n        return max((len(list(g)) for _, g in itertools.groupby(s)), default=0)\n',
    'code-14': 'class Solution:\n    def merge(self, intervals):\n        out = []\n        for a, b in sorted(intervals):\n            if out and a <= out[-1][1]:\n                out[-1][1] = max(out[-1][1], b)\n            else:\n                out.append([a, b])\n        return out\n',
    'code-15': 'class Solution:\n    def lcs(self, a, b):\n        row = [0] * (len(b) + 1)\n        for x in a:\n            new = [0]\n            for j, y in enumerate(b):\n                new.append(row[j] + 1 if x == y else max(row[j + 1], new[j]))\n            row = new\n        return row[-1]\n',
    'code-16': 'class Solution:\n    def trap(self, h):\n        return sum(max(0, min(max(h[:i + 1]), max(h[i:])) - h[i]) for i in range(len(h)))\n',
}


def main():
    problems = []

    def expect(holds, item, what):
        if not holds:
            problems.append(f"{item}: {what}")

    n = 0
    seen = set()
    for name, least in (("math", 60), ("aime", 12)):
        rows = load(f"mini_{name}.jsonl")
        expect(len(rows) >= least, name, f"{len(rows)} items, expected at least {least}")
        for row in rows:
            n += 1
            expect(row["id"] not in seen, row["id"], "the id occurs twice")
            seen.add(row["id"])
            expect(row["id"] in COMPUTED, row["id"], "no check computes its answer")
            got = COMPUTED.get(row["id"], lambda: None)()
            expect(got == row["answer"], row["id"], f"computed {got!r}, the file has {row['answer']!r}")
            if name == "aime":
                expect(row["answer"].isdigit() and int(row["answer"]) <= 999, row["id"], "not 0 to 999")
            else:
                expect(1 <= row["level"] <= 5, row["id"], "level")
    for name, least in (("mmlu", 60), ("gpqa", 16)):
        rows = load(f"mini_{name}.jsonl")
        expect(len(rows) >= least, name, f"{len(rows)} items, expected at least {least}")
        letters = collections.Counter(row["answer"] for row in rows)
        expect(max(letters.values()) <= 0.4 * len(rows), name, f"letters are not balanced: {letters}")
        for row in rows:
            n += 1
            expect(row["id"] not in seen, row["id"], "the id occurs twice")
            seen.add(row["id"])
            expect(len(row["choices"]) == 4 and len(set(row["choices"])) == 4, row["id"],
                   "expected four different choices")
            right = row["choices"]["ABCD".index(row["answer"])]
            fact = FACTS.get(row["id"], (None, ""))
            expect(right == fact[0] and fact[1], row["id"], f"the table says {fact}")
            if row["id"] in COMPUTED:
                expect(COMPUTED[row["id"]]() == right, row["id"], f"computed {COMPUTED[row['id']]()!r}")
        if name == "mmlu":
            expect(len({row["category"] for row in rows}) == 4, name, "expected four categories")
    for row in load("mini_code.jsonl"):
        n += 1
        item = row["question_id"]
        tests = json.loads(row["public_test_cases"]) + json.loads(row["private_test_cases"])
        function = json.loads(row["metadata"]).get("func_name")
        expect(len(tests) >= 3, item, "too few tests")
        for test in tests:
            got = run_solution(SOLUTIONS[item], function, test["input"])
            expect(got.split() == test["output"].split(), item,
                   f"on {test['input']!r} the solution gives {got!r}, the file has {test['output']!r}")
    for problem in problems:
        print(f"verify_mini: {problem}", file=sys.stderr)
    print(f"verify_mini: {n} items checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
