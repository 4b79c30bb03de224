# SPDX-License-Identifier: MIT
"""Functions without loops, as clang's intermediate language has them, as terms for Z3.

Function(text, name) reads one function of `clang -S -emit-llvm`; call(arguments) gives its result as a
bit vector and the condition under which it is defined: no shift by too much, no overflow that the
compiler was told of, no read outside a table, nothing undefined chosen or branched on. Blocks are
taken in the order of their edges, values meet by the conditions of the edges. What is not known
here raises Unknown: no instruction is passed over.
"""
import re

import z3

SCALAR = r"(?:i\d+\*?|ptr)"


class Unknown(Exception):
    pass


class Value:
    """A bit vector and when it is poison; or a place in a table of constants."""

    def __init__(self, bits, poison=None, table=None):
        self.bits, self.table = bits, table
        self.poison = z3.BoolVal(False) if poison is None else poison


def width(kind):
    return 64 if kind.endswith("*") or kind == "ptr" else int(kind[1:])


def true(value):
    return value.bits == 1


def lowest(x):
    n = x.size()
    result = z3.BitVecVal(n, n)
    for i in reversed(range(n)):
        result = z3.If(z3.Extract(i, i, x) == 1, z3.BitVecVal(i, n), result)
    return result


def above_highest(x):
    n = x.size()
    result = z3.BitVecVal(n, n)
    for i in range(n):
        result = z3.If(z3.Extract(i, i, x) == 1, z3.BitVecVal(n - 1 - i, n), result)
    return result


OPERATIONS = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b, "lshr": z3.LShR, "ashr": lambda a, b: a >> b,
}
COMPARISONS = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "ult": z3.ULT, "ule": z3.ULE,
    "ugt": z3.UGT, "uge": z3.UGE, "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b,
    "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b,
}
CALLS = {
    "umin": lambda a, b: z3.If(z3.ULT(a, b), a, b), "umax": lambda a, b: z3.If(z3.UGT(a, b), a, b),
}


def broken_promise(name, flags, a, b, result):
    """When the operation is poison."""
    signed, n = "nsw" in flags, a.size()
    wrong = []
    if name in ("shl", "lshr", "ashr"):
        wrong.append(z3.UGE(b, n))
        if "exact" in flags:
            wrong.append(result << b != a)
        if "nuw" in flags:
            wrong.append(z3.LShR(result, b) != a)
        if signed:
            wrong.append(result >> b != a)
    elif flags:
        kinds = {"add": (z3.BVAddNoOverflow, z3.BVAddNoUnderflow),
                 "sub": (lambda x, y, _: z3.BVSubNoOverflow(x, y),
                         lambda x, y: z3.BVSubNoUnderflow(x, y, True)),
                 "mul": (z3.BVMulNoOverflow, z3.BVMulNoUnderflow)}
        if name not in kinds:
            raise Unknown(f"{name} {flags}")
        if signed:
            over, under = kinds[name]
            wrong += [z3.Not(over(a, b, True)), z3.Not(under(a, b))]
        if "nuw" in flags:
            wrong.append(z3.ULT(a, b) if name == "sub" else z3.Not(kinds[name][0](a, b, False)))
    return z3.Or(wrong) if wrong else z3.BoolVal(False)


class Function:
    def __init__(self, text, name):
        found = re.search(rf"^define [^\n]*@{name}\(([^\n]*)\)[^\n]*{{\n(.*?)^}}", text, re.M | re.S)
        if not found:
            raise Unknown(f"no function {name}")
        self.tables = {
            t[0]: (width(t[1]), [int(x.split()[1]) for x in t[2].split(", ")])
            for t in re.findall(r"^(@\S+) = [^\n]*constant \[\d+ x (i\d+)\] \[([^\]]*)\]", text, re.M)}
        self.parameters = re.findall(rf"({SCALAR})[^,]*?(%\S+)(?:,|$)", found[1])
        self.blocks, self.first = {}, None
        label = str(len(self.parameters))
        for line in found[2].splitlines():
            line = line.split(";")[0].rstrip()
            mark = re.fullmatch(r"([\w.]+):", line)
            if mark:
                label = mark[1]
            elif line:
                self.first = self.first or label
                self.blocks.setdefault(label, []).append(line.strip())

    def targets(self, label):
        return re.findall(r"label %([\w.]+)", self.blocks[label][-1])

    def order(self):
        """The blocks, each after those that lead to it."""
        done, path = [], set()

        def visit(label):
            if label in path:
                raise Unknown("a loop")
            if label not in done:
                path.add(label)
                for target in self.targets(label):
                    visit(target)
                path.remove(label)
                done.append(label)

        visit(self.first)
        return reversed(done)

    def call(self, *arguments):
        """(result, condition under which it is defined)."""
        return Run(self, arguments).result()


class Run:
    """One call of a function."""

    def __init__(self, function, arguments):
        self.function = function
        self.values = {}
        for (kind, name), argument in zip(function.parameters, arguments, strict=True):
            if argument.size() != width(kind):
                raise Unknown(f"{name} is {kind}")
            self.values[name] = Value(argument)
        self.edges = {}  # (from, to): when it is taken
        self.undefined = []
        self.returned = []

    def operand(self, kind, text):
        if text in self.values:
            return self.values[text]
        if text in ("undef", "poison"):
            return Value(z3.BitVecVal(0, width(kind)), z3.BoolVal(True))
        number = {"true": "1", "false": "0", "null": "0"}.get(text, text)
        if not re.fullmatch(r"-?\d+", number):
            raise Unknown(text)
        return Value(z3.BitVecVal(int(number), width(kind)))

    def result(self):
        for label in self.function.order():
            here = z3.BoolVal(True) if label == self.function.first else z3.Or(
                [when for (_, to), when in self.edges.items() if to == label])
            here = z3.simplify(here)
            if not z3.is_false(here):
                for line in self.function.blocks[label]:
                    self.step(label, here, re.sub(r"(, ![\w.]+ !\d+|, align \d+| #\d+)+$", "", line))
        result, wrong = self.returned[0][1].bits, list(self.undefined)
        for when, value in self.returned:
            result = z3.If(when, value.bits, result)
            wrong.append(z3.And(when, value.poison))
        return z3.simplify(result), z3.simplify(z3.Not(z3.Or(wrong)))

    def step(self, label, here, line):
        found = re.fullmatch(r"(%\S+) = (.*)", line)
        if found:
            value = self.value(label, found[2])
            if value.bits is not None:
                value.bits = z3.simplify(value.bits)
            self.values[found[1]] = value
        elif line.startswith("ret "):
            _, kind, text = line.split()
            self.returned.append((here, self.operand(kind, text)))
        elif line.startswith("br i1"):
            text, yes, no = re.fullmatch(r"br i1 (\S+), label %(\S+), label %(\S+)", line).groups()
            condition = self.operand("i1", text)
            self.undefined.append(z3.And(here, condition.poison))
            self.edges[label, yes] = z3.And(here, true(condition))
            self.edges[label, no] = z3.And(here, z3.Not(true(condition)))
        elif line.startswith("br label"):
            self.edges[label, line.split("%")[1]] = here
        else:
            raise Unknown(line)

    def value(self, label, text):
        for pattern, method in self.FORMS:
            found = re.fullmatch(pattern, text)
            if found:
                return method(self, label, *found.groups())
        raise Unknown(text)

    def binary(self, _, name, flags, kind, a, b):
        a, b = self.operand(kind, a), self.operand(kind, b)
        bits = OPERATIONS[name](a.bits, b.bits)
        wrong = broken_promise(name, flags.split(), a.bits, b.bits, bits)
        return Value(bits, z3.Or(a.poison, b.poison, wrong))

    def compare(self, _, name, kind, a, b):
        a, b = self.operand(kind, a), self.operand(kind, b)
        bit = z3.If(COMPARISONS[name](a.bits, b.bits), z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
        return Value(bit, z3.Or(a.poison, b.poison))

    def select(self, _, choice, kind, a, __, b):
        choice, a, b = self.operand("i1", choice), self.operand(kind, a), self.operand(kind, b)
        poison = z3.Or(choice.poison, z3.If(true(choice), a.poison, b.poison))
        return Value(z3.If(true(choice), a.bits, b.bits), poison)

    def cast(self, _, name, kind, a, to):
        a, change = self.operand(kind, a), width(to) - width(kind)
        if change < 0:
            return Value(z3.Extract(width(to) - 1, 0, a.bits), a.poison)
        return Value((z3.SignExt if name == "sext" else z3.ZeroExt)(change, a.bits), a.poison)

    def phi(self, label, kind, choices):
        bits, poison = None, z3.BoolVal(True)
        for text, source in re.findall(r"\[ (\S+), %([\w.]+) \]", choices):
            when = self.edges.get((source, label))
            if when is None:  # never taken
                continue
            value = self.operand(kind, text)
            bits = value.bits if bits is None else z3.If(when, value.bits, bits)
            poison = z3.If(when, value.poison, poison)
        return Value(bits, poison)

    def scan(self, _, name, kind, a, zero_is_poison):
        a = self.operand(kind, a)
        empty = z3.And(a.bits == 0, zero_is_poison == "true")
        bits = lowest(a.bits) if name == "cttz" else above_highest(a.bits)
        return Value(bits, z3.Or(a.poison, empty))

    def choose(self, _, name, kind, a, b):
        a, b = self.operand(kind, a), self.operand(kind, b)
        return Value(CALLS[name](a.bits, b.bits), z3.Or(a.poison, b.poison))

    def in_table(self, _, table, index):
        return Value(self.operand("i64", index).bits, self.operand("i64", index).poison, table)

    def offset(self, _, base, by):
        base, by = self.operand("ptr", base), self.operand("i64", by)
        return Value(base.bits + by.bits, z3.Or(base.poison, by.poison))

    def load(self, _, kind, place):
        place = self.values[place]
        bits, numbers = self.function.tables[place.table]
        if bits != width(kind):
            raise Unknown(f"{kind} from {place.table}")
        value = z3.BitVecVal(numbers[0], bits)
        for i, number in enumerate(numbers):
            value = z3.If(place.bits == i, z3.BitVecVal(number, bits), value)
        return Value(value, z3.Or(place.poison, z3.UGE(place.bits, len(numbers))))

    FORMS = [
        (rf"({'|'.join(OPERATIONS)})((?: nuw| nsw| exact)*) (i\d+) (\S+), (\S+)", binary),
        (rf"icmp (\w+) ({SCALAR}) (\S+), (\S+)", compare),
        (rf"select i1 (\S+), ({SCALAR}) (\S+), ({SCALAR}) (\S+)", select),
        (rf"(zext|sext|trunc|ptrtoint) ({SCALAR}) (\S+) to ({SCALAR})", cast),
        (rf"phi ({SCALAR}) (.*)", phi),
        (r"(?:tail )?call i\d+ @llvm\.(cttz|ctlz)\.i\d+\((i\d+) (\S+), i1 (true|false)\)", scan),
        (r"(?:tail )?call i\d+ @llvm\.(umin|umax)\.i\d+\((i\d+) (\S+), i\d+ (\S+)\)", choose),
        (r"getelementptr inbounds \[\d+ x i\d+\], \S+(?: x i\d+\]\*)? (@\S+), i64 0, i64 (\S+)", in_table),
        (r"getelementptr (?:inbounds )?i8, (?:i8\*|ptr) (\S+), i64 (\S+)", offset),
        (r"load (i\d+), \S+ (\S+)", load),
    ]
