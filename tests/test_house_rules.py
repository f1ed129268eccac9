"""How tests are written."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
LONGEST_NAME = 75


def functions():
    """Every function of the tests, but those of the projects and of the program that are no tests, and its place."""
    for path in TESTS.rglob("*.py"):
        if not {"project", "mutants"} & set(path.relative_to(TESTS).parts):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{path.relative_to(TESTS)}:{node.lineno}", node


def test_the_name_of_a_test_can_be_read_at_a_glance():
    long = [where for where, node in functions() if node.name.startswith("test_") and len(node.name) > LONGEST_NAME]
    assert long == []


def test_no_test_is_annotated_as_none_is_type_checked():
    def annotated(node):
        parameters = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        return node.returns or any(parameter.annotation for parameter in parameters)

    assert [where for where, node in functions() if annotated(node)] == []
