"""Write the GraphQL schema to schema/schema.graphql, and what has changed to docs/schema-changelog.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from schema.root import schema  # noqa: E402 - the path comes first
from tools import schema_changes  # noqa: E402

if __name__ == "__main__":
    target = ROOT / "schema" / "schema.graphql"
    target.write_text(schema.as_str() + "\n", encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}")
    schema_changes.update()
