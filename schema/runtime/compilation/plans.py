"""The plans of the operations that were used last."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import strawberry
import structlog
from graphql import BooleanValueNode, DocumentNode, OperationDefinitionNode, OperationType

from schema.runtime.compilation.plan import Plan, UnsupportedError, compile_event, compile_query
from schema.runtime.compilation.selection import selections_of, switch_names

log = structlog.get_logger(__name__)

MAX_OPERATIONS = 256
MAX_FIELDS = 20_000  # of all plans together: about 20 MB
MAX_VARIANTS = 8  # of an operation: combinations of the values of @skip and @include
SELECTIONS_PER_USE = 50  # compiling these takes about 4 ms
_COMPILE = {OperationType.QUERY: compile_query, OperationType.SUBSCRIPTION: compile_event}

Switches = tuple[bool, ...]


class _Operation:
    """An operation of a document, with its plans by the values of `names`."""

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.document, self.node = document, operation  # kept, so that no other node gets this one's identity
        self.names = switch_names(document)
        self.selections = sum(1 for _ in selections_of(document))
        self.defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
        self.uses = 0
        self.fields = 0  # of its plans
        self.variants: dict[Switches, Plan | None] = {}

    def switches(self, variables: Mapping[str, Any]) -> Switches | None:
        """Return the values of the variables of @skip and @include; None if one has none, which is an error."""
        if not self.names:
            return ()
        found = []
        for name in self.names:
            default = self.defaults.get(name)
            value = variables.get(name, default.value if isinstance(default, BooleanValueNode) else None)
            if not isinstance(value, bool):
                return None
            found.append(value)
        return tuple(found)

    def missing(self, variables: Mapping[str, Any] | None) -> Switches | None:
        """Return the values that a plan should be compiled for; None: there is one, or there are too many."""
        switches = self.switches(variables or {})
        return None if switches in self.variants or len(self.variants) >= MAX_VARIANTS else switches


class Plans:
    """Compiles an operation when it has been used a few times, so that an attacker's new documents cost nothing.

    A small one is compiled when it is used for the second time, a larger one later: each use pays for 50 selections.
    Operations are known by the identity of their nodes, so documents must be cached where they are parsed. Nothing of
    the variables is kept but the values of @skip and @include.
    """

    def __init__(self, schema: strawberry.Schema, *, uses: int = 2, max_fields: int = MAX_FIELDS) -> None:
        self._schema, self._uses, self._max_fields = schema, uses, max_fields
        self._fields = 0
        self._operations: OrderedDict[int, _Operation] = OrderedDict()  # those used last at the end

    def use(
        self, document: DocumentNode, node: OperationDefinitionNode | None, variables: Mapping[str, Any] | None
    ) -> bool:
        """Count a use of a valid document's operation, and return whether it should be compiled now."""
        if node is None or node.operation not in _COMPILE:
            return False
        operation = self._operation(document, node)
        operation.uses += 1
        is_due = operation.uses >= self._uses + operation.selections // SELECTIONS_PER_USE
        return (is_due or self._uses == 1) and operation.missing(variables) is not None

    def compile(
        self, document: DocumentNode, node: OperationDefinitionNode | None, variables: Mapping[str, Any] | None
    ) -> None:
        """Compile an operation for these values of the variables of @skip and @include."""
        operation = self._operation(document, node) if node else None
        switches = operation.missing(variables) if operation else None
        if operation is None or switches is None:
            return
        operation.variants[switches] = None
        name, values = operation.node.name, dict(zip(operation.names, switches, strict=True))
        make = _COMPILE[operation.node.operation]
        try:
            plan = make(self._schema, document, name.value if name else None, values)
        except UnsupportedError:
            return  # graphql-core executes it
        except Exception:
            log.exception("operation.not_compiled")  # a bug of the compiler
            return
        operation.variants[switches] = plan
        operation.fields += plan.fields
        self._fields += plan.fields
        while self._fields > self._max_fields:
            self._fields -= self._operations.popitem(last=False)[1].fields

    def _operation(self, document: DocumentNode, node: OperationDefinitionNode) -> _Operation:
        found = self._operations.get(id(node))
        if found is None:
            found = self._operations[id(node)] = _Operation(document, node)
            if len(self._operations) > MAX_OPERATIONS:
                self._fields -= self._operations.popitem(last=False)[1].fields
        self._operations.move_to_end(id(node))
        return found

    def find(self, node: OperationDefinitionNode, variables: Mapping[str, Any]) -> Plan | None:
        """Return the plan of an operation if it was prepared, which is then one of those used last."""
        operation = self._operations.get(id(node))
        if operation is None:
            return None
        switches = operation.switches(variables)
        plan = operation.variants.get(switches) if switches is not None else None
        if plan is None or not plan.is_useful():
            return None
        self._operations.move_to_end(id(node))
        return plan
