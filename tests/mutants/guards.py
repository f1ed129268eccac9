"""Where the package has guards, how each can be broken, and which ones are chosen."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

PACKAGE = "trusted_devices"
AREAS: dict[str, tuple[str, ...]] = {
    "policy": ("policy.py", "policy/*"),
    "cookies": ("cookies.py", "cookies/*"),
    "crypto": ("crypto/*",),
    "cognito_idp": ("cognito_idp/*",),
    "sign-in": (
        "services/sign_in*",
        "services/signin*",
        "services/second_factor.py",
        "middleware.py",
        "decorators.py",
        "views/*",
        "clientinfo.py",
        "devicejar.py",
        "emails.py",
        "forms.py",
        "guards.py",
        "logins.py",
        "verification.py",
        "web/*",
        "backends/*",
        "backends.py",
        "cognito/*",
        "owners/*",
        "signin/*",
    ),
    "services": ("services/*",),
    "api permissions": ("api/*",),
    "admin acts": ("admin/*", "admin_site.py"),
}
"""The modules of each area, in any layout that the project has had; a module belongs to the first that names it."""
UNGUARDED = (
    "*/migrations/*",
    "*/management/*",
    "api/pagination.py",
    "api/parsers.py",
    "api/problems.py",
    "api/schema.py",
    "api/serializers.py",
    "api/urls.py",
    "admin/changelist.py",
    "admin/dashboard.py",
    "admin/filters.py",
    "admin/searching.py",
)
"""Modules of these areas that show things rather than decide them."""

NEIGHBOURS: dict[type[ast.cmpop], tuple[bytes, bytes]] = {
    ast.Lt: (rb"<", b"<="),
    ast.LtE: (rb"<=", b"<"),
    ast.Gt: (rb">", b">="),
    ast.GtE: (rb">=", b">"),
    ast.Eq: (rb"==", b"!="),
    ast.NotEq: (rb"!=", b"=="),
    ast.Is: (rb"\bis\b", b"is not"),
    ast.IsNot: (rb"\bis\s+not\b", b"is"),
    ast.In: (rb"\bin\b", b"not in"),
    ast.NotIn: (rb"\bnot\s+in\b", b"in"),
}
OPPOSITES = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons whose neighbour is their negation."""
QUERIES = ("exclude", "filter", "get")
DIGESTS = ("compare_digest", "constant_time_compare")
LOGGERS = ("log", "logger", "logging")
UNTOUCHED = ("__repr__", "__str__")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one line. ``first`` and ``last`` are the lines of its statement, ``start`` and ``end`` bytes of
    the line, ``before`` and ``after`` the line without its indentation."""

    path: str
    function: str
    kind: str
    line: int
    start: int
    end: int
    text: bytes
    first: int
    last: int
    before: str
    after: str
    repetition: int = 1
    area: str = ""

    @property
    def id(self) -> str:
        """What stays the same when the function moves."""
        again = f" (no. {self.repetition})" if self.repetition > 1 else ""
        return f"{self.function}: `{self.before}` -> `{self.after}`{again}"

    def rank(self, seed: str) -> str:
        """Return what mutants are chosen by, lowest first."""
        return hashlib.sha256(f"{seed}\0{self.id}".encode()).hexdigest()

    def apply(self, source: str) -> str:
        """Return the source with this change."""
        lines = source.encode().split(b"\n")
        lines[self.line - 1] = _changed(lines[self.line - 1], self.start, self.end, self.text)
        return b"\n".join(lines).decode()


def mutants_of(source: str, path: str, area: str = "") -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    guards = _Guards(source, path, area)
    guards.visit(ast.parse(source))
    return sorted(guards.found, key=lambda mutant: (mutant.line, mutant.start))


def area_of(path: str) -> str | None:
    """Return the area of a module, given relative to the package, or ``None`` if it has none."""
    if any(fnmatchcase(path, pattern) for pattern in UNGUARDED):
        return None
    named = (area for area, patterns in AREAS.items() if any(fnmatchcase(path, pattern) for pattern in patterns))
    return next(named, None)


def choose(root: Path, areas: Iterable[str], per_area: int, seed: str) -> list[Mutant]:
    """Return the mutants of the tree at ``root`` that come first by rank, so many of each area; all must compile."""
    found: dict[str, list[Mutant]] = {area: [] for area in areas}
    for file in sorted((root / PACKAGE).rglob("*.py")):
        area = area_of(file.relative_to(root / PACKAGE).as_posix())
        if area in found:
            found[area] += mutants_of(file.read_text(), file.relative_to(root).as_posix(), area)
    chosen = []
    for mutants in found.values():
        mutants.sort(key=lambda mutant: (mutant.rank(seed), mutant.path, mutant.line))
        chosen += mutants[:per_area]
    for mutant in chosen:
        compile(mutant.apply((root / mutant.path).read_text()), mutant.path, "exec")
    return chosen


def _changed(line: bytes, start: int, end: int, text: bytes) -> bytes:
    return line[:start] + text + line[end:]


class _Guards(ast.NodeVisitor):
    """Finds what can be broken. Positions are the syntax tree's: lines from 1, bytes from 0."""

    def __init__(self, source: str, path: str, area: str) -> None:
        self.lines = source.encode().split(b"\n")
        self.path = path
        self.area = area
        self.found: list[Mutant] = []
        self._names: list[str] = []
        self._in_function = False
        self._statement = (0, 0)
        self._seen: dict[tuple[str, bytes, bytes], int] = defaultdict(int)

    def visit(self, node: ast.AST) -> None:
        outer = self._statement
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None) or [case.pattern for case in getattr(node, "cases", ())]
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            self._statement = (node.lineno, max(node.lineno, last))
        super().visit(node)
        self._statement = outer

    def _add(self, kind: str, line: int, start: int, end: int, text: bytes) -> None:
        if not self._in_function:
            return
        before, after = self.lines[line - 1], _changed(self.lines[line - 1], start, end, text)
        function = ".".join(self._names)
        key = (function, before.strip(), after.strip())
        self._seen[key] += 1
        mutant = Mutant(
            path=self.path,
            function=function,
            kind=kind,
            line=line,
            start=start,
            end=end,
            text=text,
            first=self._statement[0],
            last=self._statement[1],
            before=before.strip().decode(),
            after=after.strip().decode(),
            repetition=self._seen[key],
            area=self.area,
        )
        self.found.append(mutant)

    def _replace(self, kind: str, node: Any, text: str | Callable[[str], str]) -> None:
        """Put something in the place of a node that lies on one line."""
        if node.lineno != node.end_lineno:
            return
        old = self.lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
        new = text if isinstance(text, str) else text(old)
        self._add(kind, node.lineno, node.col_offset, node.end_col_offset, new.encode())

    def _between(self, kind: str, left: Any, right: Any, pattern: bytes, text: bytes) -> None:
        """Put ``text`` in the place of the operator between two nodes, on whichever line it is."""
        for number in range(left.end_lineno, right.lineno + 1):
            line = self.lines[number - 1]
            start = left.end_col_offset if number == left.end_lineno else 0
            end = right.col_offset if number == right.lineno else len(line)
            if operator := re.search(pattern, line[start:end].partition(b"#")[0]):
                self._add(kind, number, start + operator.start(), start + operator.end(), text)
                return

    def _negate(self, test: ast.expr) -> None:
        """Negate a test, unless another change of it comes to the same."""
        dropped = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        turned = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], OPPOSITES)
        if not dropped and not turned:
            self._replace("test negated", test, lambda old: f"not ({old})")

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in UNTOUCHED:
            return
        outer, self._in_function = self._in_function, True
        self._body(node)
        self._in_function = outer

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        outer, self._in_function = self._in_function, False
        self._body(node)
        self._in_function = outer

    def _body(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass  # the positions within are not those of the file

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        outer = self._statement
        self._statement = (node.pattern.lineno, max(node.pattern.lineno, node.body[0].lineno - 1))
        if node.guard is not None:
            self._negate(node.guard)
        self.generic_visit(node)
        self._statement = outer

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, node.comparators, strict=False):
            self._between("comparison", left, right, *NEIGHBOURS[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        pattern, text = (rb"\band\b", b"or") if isinstance(node.op, ast.And) else (rb"\bor\b", b"and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between("and/or", left, right, pattern, text)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            line = self.lines[node.lineno - 1]
            after = re.compile(rb"not\s*").match(line, node.col_offset)
            if after:
                self._add("not dropped", node.lineno, node.col_offset, after.end(), b"")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace("boolean flipped", node, str(not node.value))

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace("raise left out", node, "pass")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Add | ast.Sub) and not _is_text(node):
            pattern, text = (rb"\+", b"-") if isinstance(node.op, ast.Add) else (rb"-", b"+")
            self._between("sign", node.left, node.right, pattern, text)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Add | ast.Sub) and not _is_text(node.value):
            pattern, text = (rb"\+=", b"-=") if isinstance(node.op, ast.Add) else (rb"-=", b"+=")
            self._between("sign", node.target, node.value, pattern, text)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        owner = getattr(node.func, "value", None)
        if isinstance(owner, ast.Name) and owner.id.lower() in LOGGERS:
            return
        if name in DIGESTS:
            self._replace("digests agree", node, "True")
        if name in QUERIES and owner is not None:
            for keyword in node.keywords:
                self._drop(keyword)
        self.generic_visit(node)

    def _drop(self, keyword: ast.keyword) -> None:
        if keyword.arg is None or keyword.lineno != keyword.end_lineno:
            return
        comma = re.compile(rb"\s*,?\s*").match(self.lines[keyword.lineno - 1], keyword.end_col_offset)
        end = comma.end() if comma else keyword.end_col_offset
        self._add("query widened", keyword.lineno, keyword.col_offset, end, b"")


def _is_text(node: ast.expr) -> bool:
    """Whether a sum is one of texts or lists, which no minus could be between."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp)
