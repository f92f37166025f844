"""Data loaders of a context, made when they are first used, and whose objects they return."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from strawberry.dataloader import DataLoader

if TYPE_CHECKING:
    from schema.runtime.context import Context

T = TypeVar("T")
L = TypeVar("L")


class Lazy(Generic[L]):
    """A data loader of a context, created when it is first used: most operations use none."""

    def __init__(self, create: Callable[["Context"], L]) -> None:
        self._create = create

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, context: "Context", owner: type) -> L:
        found: L | None = context.loaders.get(self._name)
        if found is None:
            found = context.loaders[self._name] = self._create(context)
        return found


def batching(find: Callable[[list[str]], Awaitable[Mapping[str, T]]]) -> DataLoader[str, T | None]:
    """Return a loader of the objects that `find` returns by ID, else None; it batches and does not cache."""

    async def load(ids: list[str]) -> list[T | None]:
        found = await find(ids)
        return [found.get(id) for id in ids]

    return DataLoader(load, cache=False)


def owned(
    context: "Context",
    by_ids: Callable[[str, list[str]], Awaitable[dict[str, T]]],
    all_by_ids: Callable[[list[str]], Awaitable[dict[str, T]]],
) -> DataLoader[str, T | None]:
    """Return a loader of the viewer's objects, for admins of every user's; of none when signed out."""

    async def find(ids: list[str]) -> dict[str, T]:
        if context.is_admin:
            return await all_by_ids(ids)
        return await by_ids(context.viewer.id, ids) if context.viewer else {}

    return batching(find)


class _Owned(Protocol[T]):
    """A service with objects of users."""

    async def by_ids(self, user_id: str, ids: list[str], /) -> dict[str, T]: ...

    async def all_by_ids(self, ids: list[str], /) -> dict[str, T]: ...


def owned_in(context: "Context", service: _Owned[T]) -> DataLoader[str, T | None]:
    """Return a loader of a service's objects, as `owned`."""
    return owned(context, service.by_ids, service.all_by_ids)


async def owns_none(user_id: str, ids: list[str]) -> dict[str, Any]:
    """Return no objects: no user owns audit entries or payment reviews."""
    return {}
