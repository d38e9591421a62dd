"""The faults that tools/mutate.py can plant in a module: what each changes, and where.

A fault is one change of one node of the syntax tree: a comparison that is off by one or turned
round, ``and`` for ``or``, a condition negated, another operator, a number one more or one less,
another verdict, two cells of a table changing places, a return value or a statement lost, a
dictionary's default forgotten.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, NamedTuple

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
_VERDICTS = {
    "pass": "drop", "drop": "pass", "error": "drop", "ignore": "drop", "deliver": "drop",
    "park": "drop", "ACCEPT": "DROP", "DROP": "ACCEPT", "RETURN": "ACCEPT", "NEW": "ESTABLISHED",
    "ESTABLISHED": "NEW", "RELATED": "ESTABLISHED", "INVALID": "NEW", "PERMANENT": "STALE",
    "REACHABLE": "STALE", "STALE": "REACHABLE", "FAILED": "STALE", "INCOMPLETE": "FAILED",
    "FIN_WAIT": "ESTABLISHED", "SYN_SENT": "SYN_RECV", "SYN_RECV": "SYN_SENT",
    "TIME_WAIT": "CLOSE", "CLOSE": "TIME_WAIT", "CLOSE_WAIT": "LAST_ACK", "LAST_ACK": "CLOSE_WAIT",
}  # fmt: skip
#: How much text tells one fault from another.
_ENOUGH = 110

_SCOPES = (ast.FunctionDef, ast.ClassDef)

Slot = tuple[ast.AST, str, int | None]


class Fault(NamedTuple):
    """A change that can be planted: ``slot`` of the tree holds ``new`` instead of what is there.

    ``path`` leads to the outermost function around it; ``at_import``: it is in no function's body.
    """

    file: str
    where: str
    line: int
    kind: str
    before: str
    after: str
    lines: range
    at_import: bool
    path: tuple[str, ...]
    tree: ast.Module
    slot: Slot
    new: ast.AST

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names the fault: no line number, so an edit elsewhere does not matter."""
        return self.file, self.where, self.before, self.after

    def __str__(self) -> str:
        place = f"{self.file}:{self.line} {self.where} ({self.kind})"
        return f"{place}: {self.before} -> {self.after}"

    @contextmanager
    def planted(self) -> Iterator[ast.Module]:
        """The module's tree with the fault in it, for as long as the ``with`` lasts."""
        old = _swap(self.slot, self.new)
        try:
            yield self.tree
        finally:
            _swap(self.slot, old)


def _swap(slot: Slot, new: ast.AST) -> ast.AST:
    parent, field, index = slot
    held = getattr(parent, field)
    old: ast.AST = held if index is None else held[index]
    if index is None:
        setattr(parent, field, new)
    else:
        held[index] = new
    return old


def _changed(node: Any, **fields: Any) -> Any:
    other = copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _of_expression(node: ast.expr, slot: Slot) -> Iterator[tuple[str, ast.AST]]:
    parent, field, _ = slot
    condition = field == "test" and isinstance(parent, ast.If | ast.While | ast.IfExp)
    if (condition or field == "ifs") and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield "condition", ast.UnaryOp(ast.Not(), node)
    match node:
        case ast.Compare(ops=[*ops]):
            for at, op in enumerate(ops):
                turned = [*ops[:at], _COMPARE[type(op)](), *ops[at + 1 :]]
                yield "compare", _changed(node, ops=turned)
        case ast.BoolOp(op=op):
            yield "and/or", _changed(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", operand
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            yield "arithmetic", _changed(node, op=_ARITHMETIC[type(op)]())
        case ast.Constant(value=bool(value)):
            yield "constant", _changed(node, value=not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", _changed(node, value=value + 1)
            if value:
                yield "constant", _changed(node, value=value - 1)
        case ast.Constant(value=str(value)) if value in _VERDICTS:
            yield "verdict", _changed(node, value=_VERDICTS[value])
        case ast.Constant(value=str(value)) if isinstance(parent, ast.Dict):
            words = value.split()  # a row of a table: two neighbours change places
            for at in range(len(words) - 1) if max(map(len, words), default=9) < 3 else ():
                if words[at] != words[at + 1]:
                    row = [*words[:at], words[at + 1], words[at], *words[at + 2 :]]
                    yield "table", _changed(node, value=" ".join(row))
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, _]):
            yield "default", _changed(node, args=node.args[:1])


def _of_statement(node: ast.stmt, last: bool, again: set[str]) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Return(value=None):
            if not last:
                yield "return", ast.Pass()
        case ast.Return(value=ast.Constant()):
            if not last:
                yield "return", ast.Pass()
        case ast.Return():
            yield "return", ast.Return(ast.Constant(None))
            if not last:
                yield "return", ast.Pass()
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete():
            yield "statement", ast.Pass()
        case ast.Raise() | ast.Continue() | ast.Break():
            yield "statement", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield "statement", ast.Pass()
        case ast.Assign(targets=[ast.Name(id=name)]) if name in again:
            yield "statement", ast.Pass()


def _skipped(node: ast.AST, field: str, value: Any) -> bool:
    """What is for readers and type checkers: annotations, docstrings, asserts, ``cast``'s type."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assert():
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__")]) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
    return field in ("annotation", "returns", "decorator_list", "bases")


def _text(node: ast.AST) -> str:
    """One line of source; of a compound statement its head."""
    if isinstance(node, ast.stmt) and hasattr(node, "body"):
        node = _changed(node, body=[ast.Expr(ast.Constant(...))], orelse=[])
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())


def _walk(
    node: ast.AST, trail: tuple[ast.AST, ...], names: tuple[str, ...], again: set[str]
) -> Iterator[tuple[Slot, ast.AST, str, tuple[ast.AST, ...], tuple[str, ...]]]:
    for field, value in ast.iter_fields(node):
        if _skipped(node, field, value):
            continue
        children = value if isinstance(value, list) else [value]
        block = set(again)  # what one branch has assigned, the other has not
        for at, child in enumerate(children):
            if not isinstance(child, ast.AST):
                continue
            if isinstance(node, ast.Call) and at == 0 and field == "args":
                if isinstance(node.func, ast.Name) and node.func.id == "cast":
                    continue
            slot = node, field, at if isinstance(value, list) else None
            inner, known = names, block
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner, known = (*names, child.name), set()
            if isinstance(child, ast.FunctionDef):
                args = child.args
                known = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
            made: Iterator[tuple[str, ast.AST]] = iter(())
            if isinstance(child, ast.expr):
                made = _of_expression(child, slot)
            elif isinstance(child, ast.stmt):
                ends = isinstance(node, ast.FunctionDef) and child is node.body[-1]
                made = _of_statement(child, ends, known)
            here = (*trail, child)
            for kind, new in list(made):
                yield slot, new, kind, here, inner
            if isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name):
                known.add(child.targets[0].id)
            yield from _walk(child, here, inner, known)


def faults_in(file: str, source: str) -> list[Fault]:
    """Every fault that can be planted in a module, in the order of its lines."""
    tree = ast.parse(source)
    found: list[Fault] = []
    times: Counter[tuple[str, str, str]] = Counter()
    for slot, new, kind, trail, names in _walk(tree, (), (), set()):
        node, first = trail[-1], next(n for n in reversed(trail) if isinstance(n, ast.stmt))
        shown, before = node, _text(node)
        for outer in reversed(trail[trail.index(first) : -1]):
            if not hasattr(outer, "lineno") or len(text := _text(outer)) > _ENOUGH:
                break
            shown, before = outer, text
        old = _swap(slot, new)
        after = _text(new if shown is node else shown)
        _swap(slot, old)
        if isinstance(new, ast.expr | ast.stmt):
            ast.fix_missing_locations(ast.copy_location(new, old))
        where = ".".join(names) or "(module)"
        times[where, before, after] += 1
        if (nth := times[where, before, after]) > 1:
            where = f"{where} #{nth}"
        body = getattr(first, "body", None)
        end = body[0].lineno - 1 if isinstance(body, list) else first.end_lineno
        lines = range(first.lineno, max(first.lineno, end or 0) + 1)
        line = getattr(node, "lineno", first.lineno)
        scopes = [n for n in trail[: trail.index(first)] if isinstance(n, _SCOPES)]
        inside = [isinstance(n, ast.FunctionDef) for n in scopes]
        path = names[: inside.index(True) + 1] if True in inside else ()
        found.append(
            Fault(
                file, where, line, kind, before, after, lines, not path, path, tree, slot, new
            )
        )  # fmt: skip
    return found
