"""The root fields of albums, tags and favorites in bulk: each with its resolver, who may use it, and what it is for."""

import strawberry

import resolvers.albums
from schema.albums import AlbumPayload, ArchivePayload, ChangedGenerationsPayload, TagPayload
from schema.deleted_payload import DeletedPayload
from schema.runtime.permission import SIGNED_IN
from schema.runtime.root_field import mutation


@strawberry.type
class GalleryMutations:
    create_album: AlbumPayload = mutation(
        resolvers.albums.create_album,
        SIGNED_IN,
        "Create an empty album, the last of up to 200. CONFLICT: there is one of this name, whatever its case.",
    )
    update_album: AlbumPayload = mutation(
        resolvers.albums.update_album, SIGNED_IN, "Rename an album, or move it in the list."
    )
    delete_album: DeletedPayload = mutation(
        resolvers.albums.delete_album, SIGNED_IN, "Delete an album; the generations in it stay in the gallery."
    )
    add_to_album: ChangedGenerationsPayload = mutation(
        resolvers.albums.add_to_album,
        SIGNED_IN,
        "Add up to 100 generations to an album, which has at most 10,000; those in it already stay.",
    )
    remove_from_album: ChangedGenerationsPayload = mutation(
        resolvers.albums.remove_from_album,
        SIGNED_IN,
        "Remove up to 100 generations from an album; they stay in the gallery.",
    )
    set_tags: ChangedGenerationsPayload = mutation(
        resolvers.albums.set_tags,
        SIGNED_IN,
        "Give up to 100 generations these tags and no others: at most 20 each, and 500 of an account.",
    )
    add_tags: ChangedGenerationsPayload = mutation(
        resolvers.albums.add_tags,
        SIGNED_IN,
        "Add tags to up to 100 generations. CONFLICT: one of them, or the account, would have too many.",
    )
    remove_tags: ChangedGenerationsPayload = mutation(
        resolvers.albums.remove_tags, SIGNED_IN, "Remove tags from up to 100 generations."
    )
    rename_tag: TagPayload = mutation(
        resolvers.albums.rename_tag,
        SIGNED_IN,
        "Rename a tag. If there is another one of this name, whatever its case, all generations of both have that one "
        "then, and `tag` is that one.",
    )
    set_favorites: ChangedGenerationsPayload = mutation(
        resolvers.albums.set_favorites,
        SIGNED_IN,
        "Mark up to 100 generations as favorites, or remove the mark.",
    )
    create_archive: ArchivePayload = mutation(
        resolvers.albums.create_archive,
        SIGNED_IN,
        "Get a link to a zip of the results of these generations, or of an album; `errors` names those without one. "
        "The deployment limits their number and size.",
    )
