"""Selections made from the schema."""

from graphql import GraphQLObjectType, get_named_type


def selected(kind: GraphQLObjectType, depth: int = 2) -> dict[str, str]:
    """Return every field of a type, with a selection of what is below."""
    found = {}
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLObjectType):
            is_shown = depth and inner.name in ("Style", "Collection", "MediaFile", "QualityPrice", "StyleVariable")
            below = " ".join(selected(inner, depth - 1).values()) if is_shown else "__typename"
            found[name] = f"{name} {{ {below} }}"
        else:
            found[name] = name
    return found
