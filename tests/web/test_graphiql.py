"""GraphiQL: access to the page and its operations, the page's content security policy, and valid operations."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from graphql import GraphQLError, OperationDefinitionNode, get_introspection_query, parse, validate
from graphql.execution.values import get_variable_values

from models import User
from models.enum import Role
from schema.root import schema
from setting_types import Access, AdminSecondFactor
from settings import Settings
from tests.accounts.test_second_factor import sign_in
from tests.conftest import Running, running
from tests.support.authenticator_app import VERIFY, set_up
from tests.support.client import Api
from tests.support.integrity import make_admin
from web.example_operations import example_operations
from web.graphiql import BUILD, FOLDER

pytestmark = pytest.mark.any_database

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
COMPILER = FOLDER.parent.parent / "examples" / "typescript" / "node_modules" / ".bin" / "tsc"
SIGN_IN = """
mutation($input: SignInInput!) { signIn(input: $input) { token errors { message } } }"""
MAX_WIDTH = 50  # columns that the editor shows beside its buttons in a window of 1280 pixels
INTROSPECTION = '{ __type(name: "Admin") { name } }'


def in_english(audience: str) -> list[dict[str, str | None]]:
    return list(example_operations(audience, lambda text: text.text))


EXAMPLES = [
    (audience, tab["name"], tab) for audience in ("everyone", "admin", "second-factor") for tab in in_english(audience)
]


def built() -> Path:
    """Return the folder of the built page."""
    assert (BUILD / "index.html").is_file(), "`make test` builds GraphiQL; so does `make graphiql`"
    return BUILD


async def browser(server: Running, email: str) -> Api:
    """Return a client that is signed in to a new account by cookie only."""
    await server.api.sign_up(email)
    http = httpx.AsyncClient(base_url=server.api.address, timeout=30)
    client = Api(http, server.api.address)
    payload = {"email": email, "password": "correct horse", "cookie": True}
    assert await client.one(SIGN_IN, input=payload) == {"token": None, "errors": []}
    return client


@pytest.fixture
async def visitor(server: Running) -> AsyncIterator[Api]:
    client = await browser(server, "ada@example.com")
    yield client
    await client.http.aclose()


async def tabs(api: Api) -> tuple[set[str], set[str]]:
    """Return the names of the example operations, and of those that a first visit opens."""
    answer = await api.http.get("/graphiql/tabs", headers=api.headers())
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    return {tab["name"] for tab in body["tabs"]}, {tab["name"] for tab in body["opening"]}


def names(audience: str) -> set[str]:
    return {str(tab["name"]) for tab in in_english(audience)}


async def test_page_loads_nothing_from_other_origins(server: Running) -> None:
    built()
    page = await server.api.http.get("/graphql", headers=HTML)
    assert page.status_code == 200
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["worker-src"] == policy["connect-src"] == "'self'"
    assert not [value for value in policy.values() if re.search(r"https?:|\*|unsafe-eval|blob:", value)]
    assert "'unsafe-inline'" not in policy["script-src"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    assert all(link.startswith("./graphiql/") for link in links), (
        "relative to the page, for deployments under a path prefix"
    )
    for link in links:
        file = await server.api.http.get(f"/{link.removeprefix('./')}")
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
        assert file.headers["x-content-type-options"] == "nosniff"


async def test_policy_allows_images_and_uploads_of_the_object_storage_only(
    settings: Settings,
) -> None:
    built()
    store = "https://store.example.com"
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "hush"}
    bucket = {"s3_bucket": "pictures", "s3_public_url": f"{store}/objects", **keys}
    async with running(settings.model_copy(update=bucket)) as server:
        page = await server.api.http.get("/graphql", headers=HTML)
    policy = page.headers["content-security-policy"].split("; ")
    allowed = [part for part in policy if store in part]
    assert allowed == [f"connect-src 'self' {store}", f"img-src 'self' {store} data:"]
    assert f'data-store="{store}"' in page.text


async def test_page_is_translated(server: Running) -> None:
    page = await server.api.http.get("/graphql", headers={**HTML, "accept-language": "zh-CN,zh;q=0.9"})
    assert '<html lang="zh-CN" data-audience="everyone" ' in page.text


async def test_only_the_built_assets_are_served(server: Running) -> None:
    built()  # otherwise every path would be 404
    tabs = "..%2F..%2Ftabs%2Fadmin%2F1-find-user.graphql"
    for path in ("..%2Findex.html", tabs, "nothing.js", "%00", "%2e%2e", "x" * 300):
        assert (await server.api.http.get(f"/graphiql/{path}")).status_code == 404


async def test_admin_operations_are_served_to_signed_in_admins_only(server: Running, visitor: Api) -> None:
    everyone, admin = names("everyone"), names("admin")
    assert await tabs(server.api) == await tabs(visitor) == (everyone, everyone)
    await User.filter(email="ada@example.com").update(role=Role.ADMIN)
    assert await tabs(visitor) == (everyone | admin, admin)
    await User.filter(email="ada@example.com").update(email_verified=True, owner_proven=True)
    key = await visitor.one('mutation { createApiKey(name: "script") { key } }')
    assert await tabs(Api(server.api.http, server.api.address, key["key"])) == (everyone, everyone)


async def test_admin_gets_the_operations_of_the_second_factor_until_it_is_proved(settings: Settings) -> None:
    required = settings.model_copy(update={"admin_second_factor": AdminSecondFactor.REQUIRED})
    async with running(required, idle=True) as server:
        admin = await make_admin(server.api)
        assert await tabs(admin) == ({"set-up-app", "confirm-app"},) * 2
        app = await set_up(admin)
        assert (await tabs(admin))[1] == names("admin")
        other = await sign_in(admin)
        assert await tabs(other) == ({"enter-code"},) * 2
        assert (await other.one(VERIFY, code=await app.fresh_code()))["errors"] == []
        assert (await tabs(other))[1] == names("admin")


async def test_example_operations_have_translated_comments_that_fit_the_editor(server: Running) -> None:
    answer = await server.api.http.get("/graphiql/tabs", headers={"accept-language": "zh-CN"})
    for tab in answer.json()["tabs"]:
        comment = [line for line in tab["query"].splitlines() if line.startswith("# ")]
        assert comment
        for line in comment:
            assert re.search(r"[\u4e00-\u9fff]", line), f"{tab['name']}: {line}"
            width = sum(2 if ord(letter) > 0x2E80 else 1 for letter in line)
            assert width <= MAX_WIDTH, f"{tab['name']}: {line}"


async def test_graphiql_for_admins_shows_others_only_the_sign_in_form(settings: Settings) -> None:
    async with running(settings.model_copy(update={"graphiql": Access.ADMINS})) as server:
        page = await server.api.http.get("/graphql", headers=HTML)
        assert 'data-audience="admins"' in page.text
        ada = await browser(server, "ada@example.com")
        for client in (server.api, ada):
            assert await tabs(client) == (set(), set())
            assert (await client.refused(INTROSPECTION))["code"] == "INVALID_INPUT"
        await User.filter(email="ada@example.com").update(role=Role.ADMIN)
        assert (await tabs(ada))[1] == names("admin")
        assert (await ada.one(get_introspection_query()))["queryType"]["name"] == "Query", (
            "the query that GraphiQL sends"
        )
        async with ada.socket(token=ada.http.cookies["darkroom_session"]) as socket:
            assert await (await socket.subscribe(INTROSPECTION)).rest() == [{"name": "Admin"}]
        await ada.http.aclose()


async def test_cached_introspection_of_an_admin_is_not_served_to_others(settings: Settings) -> None:
    async with running(settings.model_copy(update={"introspection": Access.ADMINS})) as server:
        ada = await server.api.sign_up("ada@example.com")
        await User.filter(email="ada@example.com").update(role=Role.ADMIN)
        assert await ada.one(INTROSPECTION) == {"name": "Admin"}
        assert (await server.api.refused(INTROSPECTION))["code"] == "INVALID_INPUT"
        await ada.verify_address()
        key = (await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"]
        assert (await Api(ada.http, ada.address, key).refused(INTROSPECTION))["code"] == "INVALID_INPUT"


async def test_graphiql_can_be_switched_off(settings: Settings) -> None:
    async with running(settings.model_copy(update={"graphiql": Access.OFF})) as server:
        for path in ("/graphql", "/graphiql/tabs", "/graphiql/index.js"):
            assert (await server.api.http.get(path, headers=HTML)).status_code == 404
        assert await server.api.execute("{ __typename }") == {"__typename": "Query"}


async def test_missing_build_is_503_with_instructions_and_the_api_works(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, graphiql_files=tmp_path) as server:
        page = await server.api.http.get("/graphql", headers=HTML)
        assert page.status_code == 503
        assert "make graphiql" in page.text
        assert page.headers["refresh"] == "5", "`make run` builds it while the server runs"
        assert await server.api.execute("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize(
    "tab", [tab for _, _, tab in EXAMPLES], ids=[f"{audience}-{name}" for audience, name, _ in EXAMPLES]
)
def test_each_example_operation_is_valid_with_its_variables(tab: dict[str, str | None]) -> None:
    document = parse(str(tab["query"]))
    assert validate(schema._schema, document) == []
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    assert operation.name, "the tab's title is the operation's name"
    given = json.loads(tab["variables"] or "{}")
    definitions = operation.variable_definitions or ()
    declared = [definition.variable.name.value for definition in definitions]
    assert sorted(given) == sorted(declared), "every variable has a value to edit"
    # The page fills in empty variables: `today` is a date, ids can be any text.
    filled = {name: "2026-01-01T00:00:00Z" if name == "today" else value for name, value in given.items()}
    values = get_variable_values(schema._schema, definitions, filled)
    assert not isinstance(values, list), [error for error in values if isinstance(error, GraphQLError)]
    comment = [line for line in str(tab["query"]).splitlines() if line.startswith("# ")]
    assert comment, "it explains what it is for"
    assert max(map(len, comment)) <= MAX_WIDTH


def test_page_source_passes_the_typescript_compiler() -> None:
    assert COMPILER.exists(), "`make test` installs the compiler; so does `make node`"
    assert (FOLDER / "node_modules").is_dir(), "`make test` builds GraphiQL; so does `make graphiql`"
    checked = subprocess.run([COMPILER, "-p", FOLDER], capture_output=True, text=True, timeout=90)  # noqa: S603 - a constant command
    assert checked.returncode == 0, checked.stdout


def test_build_references_no_cdn() -> None:
    for path in (built() / "graphiql").iterdir():
        if path.suffix in {".js", ".css"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(unpkg|jsdelivr|esm\.sh|cdnjs|googleapis|gstatic)", text), path.name
            assert not re.search(r"url\(\s*['\"]?(https?:)?//", text), path.name
