"""Operations that the documentation shows are valid, so that a reader can run each."""

import re

import pytest
from graphql import build_schema, parse, validate

from tests.repository.test_documents import DOCUMENTS, ROOT

SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
OPERATIONS = [
    pytest.param(operation, id=f"{path.relative_to(ROOT)}:{number}")
    for path in DOCUMENTS
    for number, operation in enumerate(
        re.findall(r"^```graphql\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL), start=1
    )
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_is_valid(operation: str) -> None:
    assert [str(error) for error in validate(SCHEMA, parse(operation))] == []
