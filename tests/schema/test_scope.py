"""Scopes of API keys: each root field has one, and keys of narrower scopes are refused there."""

from dataclasses import replace

import pytest

from models.enum import ApiKeyScope
from schema.root import schema
from schema.runtime.permission import ANYONE, SESSION, SIGNED_IN
from schema.runtime.scope import SCOPES, SESSION_ONLY, WITHOUT_ACCOUNT
from tests.conftest import Running
from tests.schema.test_contract import ROOTS, root_fields
from tests.schema.test_permission import Operation

AUDIENCES = {
    f"{root}.{name}": field.permission_classes[-1] for root in ROOTS for name, field in root_fields(root).items()
}
BY_KIND = {
    kind: {f"{root}.{name}" for root, names in roots.items() for name in names.split()}
    for kind, roots in (("session", SESSION_ONLY), ("none", WITHOUT_ACCOUNT))
}


def test_every_root_field_declares_what_scope_a_key_needs() -> None:
    declared = [*SCOPES, *BY_KIND["session"], *BY_KIND["none"]]
    assert sorted(declared) == sorted(AUDIENCES), "declare a new root field in schema/runtime/scope.py"


def test_scopes_agree_with_the_audience_of_each_field() -> None:
    for name, audience in AUDIENCES.items():
        assert issubclass(audience, SESSION) == (name in BY_KIND["session"]), name
        if audience is ANYONE:
            assert name in BY_KIND["none"] or SCOPES[name] is ApiKeyScope.READ, name
        elif audience is SIGNED_IN:
            assert name in SCOPES, name


@pytest.mark.any_database
async def test_keys_are_refused_what_their_scope_does_not_include(server: Running) -> None:
    ada = await server.api.sign_up()
    await ada.verify_address()
    create = 'mutation($scope: ApiKeyScope) { createApiKey(name: "k", scope: $scope) { key apiKey { scope } } }'
    wrong = []
    for scope in ApiKeyScope:
        made = await ada.one(create, scope=scope)
        assert made["apiKey"]["scope"] == scope
        script = replace(ada, token=made["key"])
        for name, needed in SCOPES.items():
            found = str(await Operation(name).response(script))
            is_refused = "The scope of this API key does not allow this." in found
            is_allowed = list(ApiKeyScope).index(scope) >= list(ApiKeyScope).index(needed)
            if is_refused is is_allowed:
                wrong.append((scope, name, found))
    assert wrong == []
    assert schema.get_type_by_name("ApiKeyScope")
