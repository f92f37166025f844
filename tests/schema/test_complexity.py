"""Complexity limits: excessive documents are refused before execution, and those of real clients pass easily."""

from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    OperationDefinitionNode,
    get_introspection_query,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
)

from schema.root import schema
from schema.runtime import complexity as complexity_module
from schema.runtime.complexity import (
    MAX_ALIASES,
    MAX_COST,
    MAX_COST_SIGNED_OUT,
    MAX_DEPTH,
    MAX_DIRECTIVES,
    MAX_FIELDS,
    Complexity,
    ComplexityVisitor,
)
from schema.runtime.document import MAX_NAME
from tests.conftest import Running
from tests.support import client
from tests.support.client import Api

INTROSPECTION = get_introspection_query(
    descriptions=True,
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
)
CATALOGUE = """{ collections { id slug title description baseCost refundPolicy qualities { quality multiplier }
  styles { id slug title description category cost locked variables { name label options default maxLength } } } }"""
GALLERY = f"""query($first: Int, $after: String) {{ viewer {{ id credits generations(first: $first, after: $after) {{
  nodes {{ {client.GENERATION} style {{ id slug title collection {{ slug title }} }} }}
  pageInfo {{ hasNextPage endCursor }} totalCount }} }} }}"""

# Each runs one or two statements for each account; 4,000 of them kept the server busy for half a minute.
SMALL_PAGES = " ".join(f"g{number}: generations(first: 1) {{ totalCount }}" for number in range(5))


def visitor(query: str, variables: dict[str, Any] | None = None) -> ComplexityVisitor:
    document = parse(query)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return ComplexityVisitor(schema._schema, document, operation, variables or {})


def complexity(query: str, **variables: Any) -> Complexity:
    return visitor(query, variables).complexity()


def nested_spreads(count: int) -> str:
    """Return a document whose fragments each spread the next one twice: expanded, 2 to the power of `count` fields."""
    links = [f"fragment F{number} on Query{{...F{number + 1} ...F{number + 1}}}" for number in range(count)]
    return "{...F0}" + "".join(links) + f"fragment F{count} on Query{{__typename}}"


@pytest.fixture
def api(module_server: Running) -> Api:
    return module_server.api


async def refusal(api: Api, query: str, **variables: Any) -> dict[str, Any]:
    """Return the only error of a response without data."""
    response = await api.raw(query, **variables)
    (error,) = response.json()["errors"]
    assert response.json().get("data") is None
    return dict(error)


def test_each_nested_fragment_is_visited_once() -> None:
    attack = nested_spreads(20)
    assert len(attack) == 732
    attacked = visitor(attack)
    assert attacked.complexity().fields == 2**20
    assert attacked.visited == 42  # one selection of the operation, two of each of 20 fragments, one of the last
    longer = visitor(nested_spreads(40))
    assert longer.complexity().fields == 2**40
    assert longer.visited == 82


@pytest.mark.parametrize(
    "query",
    [
        nested_spreads(20),
        nested_spreads(60),
        "{" + " viewer { id }" * (MAX_FIELDS // 2 + 1) + "}",
        "{" + " ".join(f"a{number}: __typename" for number in range(MAX_ALIASES + 1)) + "}",
        "{ __typename" + " @include(if: true)" * (MAX_DIRECTIVES + 1) + "}",
        "query" + " @a" * (MAX_DIRECTIVES + 1) + "{ __typename }",
        "{ viewer {" + " generation(id: 1) { owner {" * (MAX_DEPTH // 2) + "id" + "} }" * (MAX_DEPTH // 2) + "} }",
        "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(200)),
        "{ viewer { generations(first: 100) { nodes { owner { generations(first: 100) { nodes { id } } } } } } }",
        "{ viewer { generations(last: 100) { nodes { owner { transactions(first: 50) { nodes { id } } } } } } }",
        "{" + " ".join(f"page{n}: styles(first: 100) {{ nodes {{ id slug title cost }} }}" for n in range(30)) + "}",
        "mutation {" + " ".join(f"m{n}: signOut {{ sessionsEnded }}" for n in range(12)) + "}",
        f"{{ viewer {{ generations(first: 100) {{ nodes {{ owner {{ {SMALL_PAGES} }} }} }} }} }}",
        f"{{ admin {{ users(first: 100) {{ nodes {{ {SMALL_PAGES} }} }} }} }}",
        "{ viewer { generations(first: 100) { nodes { owner { "
        + " ".join(f"g{n}: generation(id: {n}) {{ id }}" for n in range(5))
        + "} } } } }",
        "{ viewer { generations(first: 60) { nodes { owner { billingPortalUrl } } } } }",
        "{ admin {" + " ".join(f"m{n}: metrics {{ generations }}" for n in range(8)) + "} }",
        "{ admin {" + " ".join(f"c{n}: ledgerCheck {{ mismatches }}" for n in range(4)) + "} }",
        "{" + " viewer" * 3000 + "}",
        "#\n" * 20_000 + "{ __typename }",
        "{a" * 900 + "}" * 900,
        "{ style(slug: " + "[" * 1500 + "]" * 400 + ") { id } }",
    ],
    ids=lambda query: query[:60],
)
async def test_document_over_a_limit_is_refused_without_data(api: Api, query: str) -> None:
    error = await refusal(api, query)
    assert error["extensions"]["code"] == "TOO_COMPLEX"
    assert set(error["extensions"]) in ({"code"}, {"code", "price", "limit"})


@pytest.mark.parametrize(
    "field",
    [
        'sharedGeneration(slug: "pelican") { title }',
        "quote(input: {}) { cost }",
        'style(slug: "noir") { id }',
        "collections { id }",
        "plans { id }",
        "styles(first: 1) { totalCount }",
        'requestPasswordReset(email: "ada@example.com") { sent }',
    ],
)
async def test_many_statements_are_refused_when_signed_out_with_price_and_limit(api: Api, field: str) -> None:
    kind = "mutation" if field.startswith("request") else "query"
    query = f"{kind} {{" + " ".join(f"a{number}: {field}" for number in range(MAX_ALIASES)) + "}"
    found = (await refusal(api, query))["extensions"]
    assert found["code"] == "TOO_COMPLEX"
    assert found["price"] > found["limit"] in (MAX_COST, MAX_COST_SIGNED_OUT)
    few = query.replace(field + " a1", field + "} #")
    assert all("TOO_COMPLEX" not in str(error) for error in (await api.raw(few)).json().get("errors", []))


async def test_limit_is_higher_when_signed_in(api: Api) -> None:
    query = "{" + " ".join(f"a{number}: plans {{ id }}" for number in range(MAX_COST_SIGNED_OUT // 100)) + "}"
    assert (await refusal(api, query))["extensions"]["limit"] == MAX_COST_SIGNED_OUT
    ada = await api.sign_up("bob@example.com")
    assert "errors" not in (await ada.raw(query)).json()


def test_catalogue_sign_in_and_introspection_fit_the_limit_for_signed_out_callers() -> None:
    sign_in = """mutation($input: SignInInput!) { signIn(input: $input) { token expiresAt errors { code message }
      user { id email name credits maxBatch stats { favorites } pass { expiresAt } membership { renewsAt } } } }"""
    for query in (INTROSPECTION, CATALOGUE, client.SIGN_UP, sign_in):
        document = parse(query)
        complexity_module.check(schema._schema, document, {}, is_signed_in=False)


@pytest.mark.parametrize("variables", [{"ids": ["x"] * 20_000}, {"ids": [{}] * 20_000}])
async def test_variables_with_too_many_values_are_refused(api: Api, variables: dict[str, Any]) -> None:
    error = await refusal(api, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", **variables)
    assert error["extensions"] == {"code": "TOO_COMPLEX"}


async def test_long_list_is_not_read_again_for_each_alias(api: Api) -> None:
    uses = " ".join(f"a{number}: nodes(ids: $ids) {{ id }}" for number in range(20))
    ada = await api.sign_up("carol@example.com")
    error = await refusal(ada, f"query($ids: [ID!]!) {{ {uses} }}", ids=["x"] * 9_000)
    assert error["extensions"]["code"] == "TOO_COMPLEX"


async def test_refusal_is_the_same_on_a_socket_and_in_a_stream(api: Api) -> None:
    query = "{" + " ".join(f'a{n}: sharedGeneration(slug: "pelican") {{ title }}' for n in range(30)) + "}"
    async with api.socket() as socket:
        message = await (await socket.subscribe(query)).message()
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "TOO_COMPLEX"
    streamed = await api.raw(query, headers={"accept": "text/event-stream"})
    assert "TOO_COMPLEX" in streamed.text


@pytest.mark.parametrize(
    "query",
    [
        "mutation {{ ... {{ {} }} }}",
        "mutation {{ ... on Mutation {{ {} }} }}",
        "mutation {{ ...F }} fragment F on Mutation {{ {} }}",
        "mutation {{ ...G }} fragment G on Mutation {{ ...F }} fragment F on Mutation {{ ... {{ {} }} }}",
    ],
)
async def test_mutations_cost_the_same_within_fragments(api: Api, query: str) -> None:
    plain, reset = (
        "mutation {{ {} }}",
        'a{}: requestPasswordReset(input: {{email: "ada@example.com"}}) {{ __typename }}',
    )
    many = " ".join(reset.format(number) for number in range(13))
    assert complexity(query.format(many)).total_cost == complexity(plain.format(many)).total_cost > MAX_COST
    assert (await refusal(api, query.format(many)))["extensions"]["code"] == "TOO_COMPLEX"


async def test_page_sizes_multiply_as_literal_variable_and_default(api: Api) -> None:
    inner = "nodes { owner { transactions(first: 100) { nodes { id amount } } } }"
    literal = f"{{ viewer {{ generations(first: 100) {{ {inner} }} }} }}"
    variable = f"query($n: Int) {{ viewer {{ generations(first: $n) {{ {inner} }} }} }}"
    default = f"query($n: Int = 100) {{ viewer {{ generations(last: $n) {{ {inner} }} }} }}"
    assert complexity(literal) == complexity(variable, n=100) == complexity(default)
    assert complexity(variable, n=1).cost < complexity(variable).cost < complexity(variable, n=100).cost
    for query, variables in ((literal, {}), (variable, {"n": 100}), (default, {})):
        assert (await refusal(api, query, **variables))["extensions"]["code"] == "TOO_COMPLEX"


def test_page_without_a_size_counts_as_twenty() -> None:
    assert complexity("{ styles { nodes { id } } }") == complexity("{ styles(first: 20) { nodes { id } } }")


def test_list_of_ids_counts_with_its_length() -> None:
    by_ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert complexity(by_ids, ids=["x"] * 50).cost == complexity(by_ids, ids=["x"]).cost + 49


async def test_page_size_out_of_range_is_invalid_input(api: Api) -> None:
    for size in (-1, 0, 101, 2_000_000_000):
        response = await api.raw("query($n: Int) { styles(first: $n) { nodes { id title } } }", n=size)
        assert response.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_fragment_cycle_is_invalid_input_and_terminates(api: Api) -> None:
    cycle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A __typename }"
    assert visitor(cycle).complexity().fields <= 2
    assert (await refusal(api, cycle))["extensions"]["code"] == "INVALID_INPUT"


async def test_every_operation_of_a_document_is_measured(api: Api) -> None:
    query = "query Small { __typename } query Large {" + " __typename" * (MAX_FIELDS + 1) + "}"
    response = await api.http.post("/graphql", json={"query": query, "operationName": "Small"})
    assert response.json()["errors"][0]["extensions"]["code"] == "TOO_COMPLEX"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (INTROSPECTION, {}),
        (CATALOGUE, {}),
        (GALLERY, {"first": 100}),
        (client.SIGN_UP, {}),
        (client.CREATE, {}),
        (client.CANCEL, {}),
        (client.PROGRESS, {}),
        (client.CREDITS, {}),
    ],
)
def test_documents_of_real_clients_stay_far_below_the_limits(query: str, variables: dict[str, Any]) -> None:
    found = complexity(query, **variables)
    assert found.depth <= MAX_DEPTH
    assert found.fields <= MAX_FIELDS / 4
    assert found.aliases <= MAX_ALIASES / 4
    assert found.directives <= MAX_DIRECTIVES / 4
    assert found.total_cost <= MAX_COST * 0.75


async def test_introspection_and_a_full_gallery_are_executed(api: Api) -> None:
    assert (await api.execute(INTROSPECTION))["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}
    assert len((await api.execute(CATALOGUE))["collections"]) > 1
    ada = await api.sign_up()
    assert (await ada.execute(GALLERY, first=100))["viewer"]["generations"]["totalCount"] == 0


async def test_circular_introspection_is_refused(api: Api) -> None:
    query = "{ __schema { types {" + " fields { type {" * 4 + " name " + "} }" * 4 + "} } }"
    assert (await refusal(api, query))["extensions"]["code"] == "INVALID_INPUT"


NAMES = {
    "alias": "{{ {}: __typename }}",
    "field": "{{ {} }}",
    "operation": "query {} {{ __typename }}",
    "fragment": "{{ ...{0} }} fragment {0} on Query {{ __typename }}",
    "variable": "query(${0}: String!) {{ style(slug: ${0}) {{ id }} }}",
    "input field": "{{ quote(input: {{{}: 1}}) {{ cost }} }}",
    "enum": "{{ quote(input: {{quality: {}}}) {{ cost }} }}",
}


@pytest.mark.parametrize("kind", NAMES)
async def test_long_name_is_refused_and_long_texts_and_comments_are_not(api: Api, kind: str) -> None:
    variables: dict[str, Any] = {"n" * length: "a" for length in (MAX_NAME, MAX_NAME + 1)}
    long = await refusal(api, NAMES[kind].format("n" * (MAX_NAME + 1)), **variables)
    assert long["extensions"] == {"code": "TOO_COMPLEX"}
    assert str(MAX_NAME) in long["message"]
    fits = await api.raw(NAMES[kind].format("n" * MAX_NAME), **variables)
    assert "TOO_COMPLEX" not in fits.text
    text = f'#{"c" * 500}\n{{ style(slug: "{"s" * 500}", collection: """{"b" * 500}""") {{ id }} }}'
    assert "TOO_COMPLEX" not in (await api.raw(text)).text


def everything(kind: str, depth: int, without: frozenset[str] = frozenset()) -> str:
    """Return a selection of all fields without required arguments, as generated clients have it."""
    type_ = schema._schema.type_map[kind]
    assert isinstance(type_, GraphQLObjectType)
    parts = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if name in without or any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(named):
            parts.append(name)
        elif depth and isinstance(named, GraphQLObjectType):
            parts.append(f"{name} {everything(named.name, depth - 1, without)}")
    return "{ " + " ".join(parts) + " }"


async def test_full_page_of_a_gallery_fits_the_limits(api: Api) -> None:
    pictures = everything(
        "Generation", 2, frozenset({"owner", "parent", "children", "chain", "batch", "tags", "albums", "providerPath"})
    )  # without other objects; the path is for admins
    page = "totalCount pageInfo { hasNextPage endCursor }"
    ada = await api.sign_up("dora@example.com")
    found = await ada.execute(f"{{ viewer {{ id generations(first: 100) {{ {page} nodes {pictures} }} }} }}")
    assert found["viewer"]["generations"]["totalCount"] == 0


async def test_landing_page_of_signed_out_visitors_fits_the_limits(api: Api) -> None:
    styles = f"styles(first: 100) {{ totalCount nodes {everything('Style', 1)} }}"
    parts = [f"{name} {everything(kind, 1)}" for name, kind in (("plans", "Plan"), ("creditPackages", "CreditPackage"))]
    found = await api.execute(f"{{ collections {everything('Collection', 2)} {styles} {' '.join(parts)} }}")
    assert found["styles"]["totalCount"] > 0
