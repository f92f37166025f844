"""When operations are compiled, what is kept of them, and which are left to graphql-core."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from models import enum
from models.generation_row import GENERATIONS
from schema.root import schema
from schema.runtime.compilation.plan import Plan, UnsupportedError, compile_event, compile_query
from schema.runtime.compilation.plans import MAX_OPERATIONS, MAX_VARIANTS, SELECTIONS_PER_USE, Plans
from schema.runtime.compilation.run import RerunError
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running


class CountingPlans(Plans):
    """Plans that count those that are found."""

    found = 0

    def find(self, node: OperationDefinitionNode, variables: Mapping[str, Any]) -> Plan | None:
        plan = super().find(node, variables)
        self.found += plan is not None
        return plan


@pytest.fixture
def plans() -> Iterator[CountingPlans]:
    """The schema's plans for one test, with the number of uses of production."""
    before, schema.plans = schema.plans, CountingPlans(schema)
    yield schema.plans
    schema.plans = before


def used(plans: Plans, text: str, variables: dict[str, Any], times: int = 1) -> Plan | None:
    """Use an operation and return its plan."""
    document = parse(text)
    node = document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    for _ in range(times):
        if plans.use(document, node, variables):
            plans.compile(document, node, variables)
    return plans.find(node, variables)


def test_operation_is_compiled_when_used_for_the_second_time() -> None:
    assert used(Plans(schema), "{ viewer { id } }", {}, times=1) is None
    assert used(Plans(schema), "{ viewer { id } }", {}, times=2) is not None


async def test_request_is_executed_by_its_plan_from_the_second_time_on(server: Running, plans: CountingPlans) -> None:
    answers = [await server.api.execute("{ collections { slug title } }") for _ in range(3)]
    assert plans.found == 2
    assert answers[0] == answers[1] == answers[2]


async def test_setting_off_leaves_every_operation_to_graphql_core(settings: Settings, plans: CountingPlans) -> None:
    settings = settings.model_copy(update={"compiled_operations": Switch.OFF})
    async with running(settings) as server:
        for _ in range(3):
            await server.api.execute("{ collections { slug } }")
    assert plans.found == 0


def test_operations_that_are_kept_are_bounded() -> None:
    plans = Plans(schema, uses=1)
    for number in range(MAX_OPERATIONS + 5):
        used(plans, f"{{ viewer {{ a{number}: id }} }}", {})
    assert len(plans._operations) == MAX_OPERATIONS


def test_larger_operation_is_compiled_later_and_plans_are_bounded_by_their_fields() -> None:
    plans = Plans(schema, max_fields=500)
    fields = " ".join(f"a{number}: id" for number in range(2 * SELECTIONS_PER_USE))
    assert used(plans, f"{{ viewer {{ {fields} }} }}", {}, times=3) is None
    for number in range(8):
        assert used(plans, f"{{ viewer {{ b{number}: id {fields} }} }}", {}, times=4) is not None
        assert plans._fields <= 500


def test_variants_of_one_operation_are_bounded() -> None:
    plans = Plans(schema, uses=1)
    names = [f"v{number}" for number in range(5)]
    fields = " ".join(f"{name}: id @include(if: ${name})" for name in names)
    document = parse(f"query({', '.join(f'${name}: Boolean!' for name in names)}) {{ viewer {{ {fields} }} }}")
    node = document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    for bits in range(2 ** len(names)):
        variables = {name: bool(bits >> number & 1) for number, name in enumerate(names)}
        if plans.use(document, node, variables):
            plans.compile(document, node, variables)
    (operation,) = plans._operations.values()
    assert len(operation.variants) == MAX_VARIANTS


async def test_plan_that_stumbled_over_the_rows_of_one_account_is_tried_again_after_other_uses() -> None:
    plans, document = Plans(schema, uses=1), parse("{ __typename }")
    node = document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    assert plans.use(document, node, {})
    plans.compile(document, node, {})

    def stumble(*_: Any) -> Any:
        raise RerunError

    tried = 0
    for _ in range(100):
        plan = plans.find(node, {})
        if plan is not None:
            plan._execute = stumble
            assert (await plan.run(None)).data == {"__typename": "Query"}, "graphql-core's answer"
            tried += 1
    assert tried == 3 + 3, "after 3 times, for one use in 20"


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "User") { name } }',
        "mutation { signOut { sessionsEnded } }",
        "query @experimental_disableErrorPropagation { viewer { id } }",
    ],
)
def test_operation_that_is_not_compiled_is_left_to_graphql_core(text: str) -> None:
    with pytest.raises(UnsupportedError):
        compile_query(schema, parse(text))
    assert used(Plans(schema, uses=1), text, {}) is None


async def test_event_of_subscription_is_executed_by_its_plan() -> None:
    document = parse('subscription { made: generationProgress(id: "x") { __typename id status } }')
    row = GENERATIONS.plain({"id": "gen_1", "status": enum.GenerationStatus.PENDING})
    result = await compile_event(schema, document).run(None, {}, event=row)
    assert (result.data, result.errors) == (
        {"made": {"__typename": "Generation", "id": "gen_1", "status": "PENDING"}},
        None,
    )
