"""The script that breaks guards: each change is of one line, the same every time, and goes along with its function."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.guards import AREAS, area_of, choose, mutants_of
from tests.mutants.trial import Measured

SOURCE = '''
"""A module."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import this

LIMIT = 1 + 1


def door(user, code, *, strict=True):
    """Let somebody in."""
    logger.info("asked", extra={"late": not user.late, "strict": strict and True})
    assert user is not None
    if not user.active or user.banned:
        raise Refused("not you")
    if (
        user.tries  # before this one
        and user.tries < LIMIT
        and hmac.compare_digest(code, user.code)
    ):
        return True
    found = Key.objects.filter(owner=user, used=False)
    return bool(found) and len(found) + 1 != LIMIT


class Lock:
    """A lock."""

    shut = True

    def __repr__(self):
        return "shut" if self.shut else "open"

    def turn(self):
        match self.keys:
            case [key] if key.fits:
                self.turns -= 1
            case _:
                return [key for key in self.keys if "é" in key.name and key is self.last]
        return "a" + self.name
'''
EXPECTED = [
    ("not dropped", "if user.active or user.banned:"),
    ("test negated", "if not (not user.active or user.banned):"),
    ("and/or", "if not user.active and user.banned:"),
    ("raise left out", "pass"),
    ("and/or", "or user.tries < LIMIT"),
    ("comparison", "and user.tries <= LIMIT"),
    ("and/or", "or hmac.compare_digest(code, user.code)"),
    ("digests agree", "and True"),
    ("boolean flipped", "return False"),
    ("query widened", "found = Key.objects.filter(used=False)"),
    ("query widened", "found = Key.objects.filter(owner=user, )"),
    ("boolean flipped", "found = Key.objects.filter(owner=user, used=True)"),
    ("and/or", "return bool(found) or len(found) + 1 != LIMIT"),
    ("sign", "return bool(found) and len(found) - 1 != LIMIT"),
    ("comparison", "return bool(found) and len(found) + 1 == LIMIT"),
    ("test negated", "case [key] if not (key.fits):"),
    ("sign", "self.turns += 1"),
    ("comparison", 'return [key for key in self.keys if "é" not in key.name and key is self.last]'),
    ("and/or", 'return [key for key in self.keys if "é" in key.name or key is self.last]'),
    ("comparison", 'return [key for key in self.keys if "é" in key.name and key is not self.last]'),
    ("test negated", 'return [key for key in self.keys if not ("é" in key.name and key is self.last)]'),
]


def test_guards_in_functions_are_broken_and_nothing_else():
    found = [(mutant.kind, mutant.after) for mutant in mutants_of(SOURCE, "door.py")]
    assert sorted(found) == sorted(EXPECTED)


def test_each_mutant_is_one_changed_line_of_a_program():
    lines = SOURCE.split("\n")
    for mutant in mutants_of(SOURCE, "door.py"):
        changed = mutant.apply(SOURCE).split("\n")
        differing = [number for number, pair in enumerate(zip(lines, changed, strict=True), 1) if pair[0] != pair[1]]
        assert differing == [mutant.line]
        assert mutant.first <= mutant.line <= mutant.last
        assert ast.dump(ast.parse("\n".join(changed))) != ast.dump(ast.parse(SOURCE))


def test_a_function_that_moves_takes_its_mutants_along():
    head, door = SOURCE.split("def door", 1)
    moved = f"{head}def new():\n    return None is not None\n\n\ndef door{door}"
    here = {mutant.id: mutant.rank("1") for mutant in mutants_of(SOURCE, "door.py")}
    there = {mutant.id: mutant.rank("1") for mutant in mutants_of(moved, "web/doors.py")}
    assert here == {id_: rank for id_, rank in there.items() if not id_.startswith("new:")}
    assert "door: `if not user.active or user.banned:` -> `if user.active or user.banned:`" in here


def test_two_lines_alike_have_mutants_of_their_own():
    source = "def f(a):\n    if a:\n        return 1\n    if a:\n        return 2\n"
    assert [mutant.id for mutant in mutants_of(source, "f.py")] == [
        "f: `if a:` -> `if not (a):`",
        "f: `if a:` -> `if not (a):` (no. 2)",
    ]


def test_the_choice_is_the_same_each_time_and_another_with_another_seed(tmp_path):
    (tmp_path / "trusted_devices").mkdir()
    (tmp_path / "trusted_devices" / "policy.py").write_text(SOURCE)
    chosen = choose(tmp_path, AREAS, 5, "1")
    assert len(chosen) == 5
    assert chosen == choose(tmp_path, AREAS, 5, "1")
    assert chosen == choose(tmp_path, AREAS, 6, "1")[:5]
    assert chosen != choose(tmp_path, AREAS, 5, "2")
    assert choose(tmp_path, ["crypto"], 5, "1") == []


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("policy.py", "policy"),
        ("crypto/srp.py", "crypto"),
        ("services/trust.py", "services"),
        ("services/sign_in.py", "sign-in"),
        ("views/verify.py", "sign-in"),
        ("web/views/verify.py", "sign-in"),
        ("backends/cognito/flow.py", "sign-in"),
        ("cognito/flow.py", "sign-in"),
        ("cognito_idp/flow.py", "cognito_idp"),
        ("cognito_idp/signin/states.py", "cognito_idp"),
        ("cognito_idp/migrations/0001_initial.py", None),
        ("api/own.py", "api permissions"),
        ("api/urls.py", None),
        ("admin_site.py", "admin acts"),
        ("conf.py", None),
    ],
)
def test_a_module_is_in_the_same_area_wherever_it_is_kept(path, area):
    assert area_of(path) == area


def test_tests_are_asked_one_case_each_first_and_the_quickest_first():
    [mutant] = mutants_of("def f(a):\n    return (\n        a\n        or 1\n    )\n", "f.py")
    seconds = {"a[1]": 0.2, "a[2]": 0.1, "b": 0.3, "c": 9.0, "broken": 0.0}
    measured = Measured(seconds, lines={"f.py": {3: ["a[1]", "a[2]", ""], 4: ["b", "gone"], 9: ["c"]}})
    assert measured.tests_of(mutant) == ["a[2]", "b", "a[1]"]


def test_what_runs_while_modules_are_loaded_concerns_all_users_of_the_module():
    [mutant] = mutants_of("def f(a):\n    return a or 1\n", "f.py")
    measured = Measured({"a": 0.1, "b": 0.2}, lines={"f.py": {2: [""], 9: ["b"]}, "g.py": {2: ["a"]}})
    assert measured.tests_of(mutant) == ["b"]


def test_what_runs_in_another_process_concerns_the_tests_that_it_ran_for():
    [mutant] = mutants_of("def f(a):\n    return a or 1\n", "f.py")
    measured = Measured({"a": 0.2, "b": 0.1, "c": 0.3}, starting=["a", "b"], lines={"f.py": {2: ["c"]}})
    assert measured.tests_of(mutant) == ["c"]
    measured.elsewhere = {"f.py": {2: ["", "a"]}}
    assert measured.tests_of(mutant) == ["c", "a"]
    measured.elsewhere = {"f.py": {2: [""]}}
    assert measured.tests_of(mutant) == ["c", "b", "a"]
