"""The import order of rooms and groups, the packages that each may import, and the size and docstring of modules."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "main",
    "commands",
    "composition",
    "health_check",
    "state_check",
    "logs",
    "adapters",
    "provider_adapters",
    "settings",
    "server_settings",
    "generation_settings",
    "identity_settings",
    "secret_files",
    "setting_types",
    "web",
    "schema",
    "resolvers",
    "services",
    "models",
    "telemetry",
)

# Downwards only: a module imports from its own line and the lines below it.
ORDER = (
    "main",
    "commands",
    "composition",
    "health_check",
    "state_check",
    "logs",
    "adapters",
    "provider_adapters",
    "web",
    "schema.root",
    "schema.root_accounts",
    "schema.root_gallery",
    "schema.root_webhooks",
    "resolvers",
    "schema",
    "schema.runtime",
    "services.services",
    "services.background",
    "services.webhooks",
    "services.accounts",
    "services.gallery",
    "services.generations",
    "services.catalogue",
    "services.media",
    "services.payments",
    "services.billing",
    "services.operations",
    "services.products",
    "services.events",
    "services.core",
    "services.integrations",
    "models",
    "models.database",
    "telemetry",
)

VENDORS = {
    "aioboto3",
    "aiosmtplib",
    "argon2",
    "av",
    "boto3",
    "botocore",
    "broadcaster",
    "cryptography",
    "httpcore2",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "interlock",
    "itsdangerous",
    "limits",
    "openai",
    "PIL",
    "polar",
    "redis",
    "standardwebhooks",
}
DATABASE = {"aerich", "aiosqlite", "asyncpg", "tortoise"}
QUERIES = {"all", "create", "exclude", "exists", "filter", "first", "get", "in_bulk", "raw"}
QUERIES |= {"bulk_create", "bulk_update", "get_or_create", "get_or_none", "update_or_create"}
OUTSIDE = {"strawberry", "graphql", "starlette", "cross_web", "uvicorn", "web", "schema", "resolvers"}
SETTINGS = {"settings", "server_settings", "generation_settings", "identity_settings", "secret_files", "setting_types"}
OUTSIDE |= SETTINGS


def modules(*rooms: str) -> list[Path]:
    """Return the source files of these rooms; without arguments, of all rooms."""
    found: list[Path] = []
    for room in rooms or ROOMS:
        single = ROOT / f"{room}.py"
        found += [single] if single.exists() else sorted((ROOT / room).rglob("*.py"))
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(path: Path) -> str:
    """Return the dotted name of a module: `services.billing.ledger` for `services/billing/ledger.py`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a module imports, such as `models.enum.Role`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def room_of(name: str) -> str | None:
    """Return the entry of ORDER that a module or an imported name belongs to; None: another package, or `settings`."""
    matching = [room for room in ORDER if name == room or name.startswith(f"{room}.")]
    return max(matching, key=len, default=None)


def top(name: str) -> str:
    return name.partition(".")[0]


def breaches(paths: Iterable[Path], forbidden: set[str]) -> list[str]:
    """Return each import of a forbidden package in these modules, with its file and line."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for line, name in imports(path)
        if top(name) in forbidden
    ]


def test_every_room_is_in_the_order() -> None:
    assert {room_of(dotted(path)) for path in modules()} - {None} == set(ORDER)


def test_imports_go_downwards() -> None:
    upwards = []
    for path in modules():
        here = room_of(dotted(path))
        for line, name in imports(path):
            there = room_of(name)
            if here and there and ORDER.index(there) < ORDER.index(here):
                upwards.append(f"{path.relative_to(ROOT)}:{line}: {here} imports {name}")
    assert upwards == []


def calls_imported(path: Path, module: str) -> bool:
    """Whether a module calls something that it imports from `module`."""
    names = {name.removeprefix(f"{module}.") for _, name in imports(path) if name.startswith(f"{module}.")}
    calls = (node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id in names for called in calls)


def test_core_holds_only_what_at_least_two_groups_use() -> None:
    users: dict[str, set[str]] = {
        dotted(path): set() for path in modules("services") if room_of(dotted(path)) == "services.core"
    }
    del users["services.core"], users["services.core.wiring"]
    for path in modules("services"):
        group = room_of(dotted(path))
        for module in users if group not in {None, "services.core", "services.services"} else ():
            uses = any(f"{name}.".startswith(f"{module}.") for _, name in imports(path))
            # A group's wiring that only passes a part of another group on does not use it.
            if group and uses and (path.stem != "wiring" or calls_imported(path, module)):
                users[module].add(group)
    assert {module: groups for module, groups in users.items() if len(groups) < 2} == {}


def test_only_the_composition_root_imports_settings() -> None:
    parts = [ROOT / f"{name}.py" for name in SETTINGS - {"settings", "setting_types"}]
    assert breaches([ROOT / "settings.py"], set(ROOMS) - SETTINGS) == []
    assert breaches(parts, set(ROOMS) - {"setting_types"}) == []
    assert breaches([ROOT / "setting_types.py"], set(ROOMS)) == []
    readers = {
        ROOT / f"{name}.py"
        for name in (
            "main",
            "composition",
            "health_check",
            "state_check",
            "logs",
            "adapters",
            "provider_adapters",
            "settings",
        )
    } | set(modules("commands"))
    assert breaches(set(modules()) - readers, SETTINGS - {"setting_types"}) == []
    assert breaches(set(modules()) - readers - set(parts), {"setting_types"}) == []


def test_only_web_imports_the_root_of_the_schema() -> None:
    rest = set(modules()) - set(modules("web"))
    found = [(dotted(path), name) for path in rest for _, name in imports(path) if room_of(name) == "schema.root"]
    assert found == []


def test_schema_package_imports_nothing() -> None:
    assert (ROOT / "schema" / "__init__.py").read_text() == ""


def test_only_telemetry_imports_metric_and_crash_report_clients() -> None:
    rest = set(modules()) - set(modules("telemetry"))
    assert breaches(rest, {"prometheus_client", "sentry_sdk"}) == []
    assert [name for path in rest for _, name in imports(path) if name.startswith("opentelemetry.sdk")] == []


def test_services_and_models_import_no_graphql_and_no_http() -> None:
    assert breaches(modules("services", "models"), OUTSIDE) == []


def test_only_integrations_import_vendor_packages() -> None:
    inside = set((ROOT / "services" / "integrations").rglob("*.py"))
    assert breaches(set(modules()) - inside, VENDORS) == []
    used = {top(name) for path in inside for _, name in imports(path)} & VENDORS
    assert {"argon2", "broadcaster", "httpx2", "itsdangerous", "openai", "PIL", "redis"} <= used


def test_only_models_and_services_import_database_packages() -> None:
    assert breaches(set(modules()) - set(modules("models", "services")), DATABASE) == []
    assert breaches((ROOT / "services" / "integrations").rglob("*.py"), DATABASE) == []
    assert breaches(modules("services"), DATABASE - {"tortoise"}) == []


def tables() -> set[str]:
    """Return the names of the ORM's classes."""
    listed = next(node for node in tree(ROOT / "models" / "__init__.py").body if isinstance(node, ast.Assign))
    return set(ast.literal_eval(listed.value))


def test_resolvers_schema_and_web_run_no_queries() -> None:
    names, queries = tables(), []
    assert "Generation" in names
    for path in modules("resolvers", "schema", "web", "main", "composition"):
        bare = {name.removeprefix("models.") for _, name in imports(path) if name.startswith("models.")} & names
        for node in ast.walk(tree(path)):
            if not (isinstance(node, ast.Attribute) and node.attr in QUERIES):
                continue
            owner = ast.unparse(node.value)
            if owner in bare or (owner.startswith("models.") and owner.removeprefix("models.") in names):
                queries.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
        queries += [
            f"{path.relative_to(ROOT)}:{line} imports {name}"
            for line, name in imports(path)
            if path.parent != ROOT and name in {"models.database.connection.rows", "models.database.connection.run_tx"}
        ]
    assert queries == []


def test_only_settings_reads_the_environment() -> None:
    readers = []
    for path in [*modules(), *(ROOT / "tools").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "getenvb"}:
                readers.append(f"{path.relative_to(ROOT)}:{node.lineno}")
        readers += [
            f"{path.relative_to(ROOT)}:{line} imports {name}"
            for line, name in imports(path)
            if name in {"os.environ", "os.getenv"} or top(name) in {"pydantic_settings", "dotenv"}
        ]
    declaring = {f"{name}.py" for name in SETTINGS - {"setting_types"}}
    assert {reader.partition(":")[0] for reader in readers} == declaring


def test_every_module_opens_with_a_sentence() -> None:
    silent = []
    for path in modules():
        if path.name == "__init__.py" and path.read_text() == "":
            continue
        sentence = (ast.get_docstring(tree(path)) or "").partition("\n")[0]
        if not sentence.endswith((".", ":")):
            silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_no_module_has_a_catch_all_name() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base", "base_service"}
    assert [str(path.relative_to(ROOT)) for path in modules() if path.stem in drawers] == []
