// Albums and tags of the account, and what is done with several pictures at once.
import { useEffect, useMemo } from "react";
import { useQuery } from "urql";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { onAlbumsChanged } from "../../app/clients.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { toast } from "../../components/toast.tsx";
import {
  AddTagsDocument,
  AddToAlbumDocument,
  AlbumsDocument,
  CreateArchiveDocument,
  CreateAlbumDocument,
  DeleteAlbumDocument,
  RemoveFromAlbumDocument,
  RemoveTagsDocument,
  RenameTagDocument,
  SetFavoritesDocument,
  UpdateAlbumDocument,
  type AlbumPartsFragment,
} from "../../gql/graphql.ts";
import { albums as texts } from "../../locales/albums.ts";
import type { Shown } from "../picture/state.ts";

export type Album = AlbumPartsFragment;
export type Tag = { readonly id: string; readonly name: string; readonly count: number };
type Named = Pick<Album, "id" | "name">;

export type Lists = {
  readonly albums: readonly Album[];
  readonly tags: readonly Tag[];
  /** Whether these are all: what is missing is gone, and not only unread. */
  readonly isKnown: boolean;
};

const NONE: readonly never[] = [];

/** The account's albums and tags, read again when they may have changed. */
export function useLists(): Lists {
  const { viewer } = useSession();
  const [{ data, error }, read] = useQuery({ query: AlbumsDocument, variables: {}, pause: !viewer });
  const page = data?.viewer?.albums.pageInfo;
  const after = page?.hasNextPage ? page.endCursor : null; // an account has 200, a page 100
  const [{ data: more, fetching, error: problem }, readMore] = useQuery({ query: AlbumsDocument, variables: { after }, pause: !after });
  const isKnown = Boolean(data && !error && (!after || (more && !fetching && !problem)));
  useEffect(
    () =>
      onAlbumsChanged(() => {
        read({ requestPolicy: "network-only" });
        if (after) readMore({ requestPolicy: "network-only" });
      }),
    [after, read, readMore],
  );
  const first = data?.viewer?.albums.nodes ?? NONE;
  const rest = (after && more?.viewer?.albums.nodes) || NONE;
  const tags = data?.viewer?.tags ?? NONE;
  return useMemo(() => ({ albums: [...first, ...rest], tags, isKnown }), [isKnown, first, rest, tags]);
}

const AT_ONCE = 100; // pictures of one request

type Refusal = { readonly code: string; readonly message: string; readonly field?: readonly string[] | null };
type Answer = { readonly errors: readonly Refusal[] };

/** Raise what was refused. One of several pictures that is not there any more is no mistake. */
function check({ errors }: Answer): void {
  const refusals = errors.filter(({ code, field }) => !(code === "NOT_FOUND" && field?.[0] === "ids"));
  if (refusals.length) throw new InputRefusedError(refusals);
}

export type ListActions = {
  readonly create: (name: string) => Promise<Album>;
  readonly rename: (album: Named, name: string) => Promise<void>;
  readonly moveToFront: (album: Named) => Promise<void>;
  readonly remove: (album: Named) => Promise<void>;
  readonly add: (album: Named, pictures: readonly Shown[]) => Promise<void>;
  readonly takeOut: (album: Named, pictures: readonly Shown[]) => Promise<void>;
  readonly tag: (ids: readonly string[], name: string) => Promise<void>;
  readonly untag: (ids: readonly string[], name: string) => Promise<void>;
  /** Rename a tag; where another one has this name, both become that one, which is returned. */
  readonly renameTag: (tag: Tag, name: string) => Promise<Tag>;
  /** Download as one zip: what has a result of several pictures, or of an album. */
  readonly download: (what: { readonly ids: readonly string[] } | { readonly albumId: string }) => Promise<void>;
  readonly mark: (pictures: readonly Shown[], isFavorite: boolean) => Promise<void>;
};

/** Actions that raise what went wrong; `mark`, `add` and `takeOut` say what they did, with a way back. */
export function useListActions(): ListActions {
  const t = useText(texts);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  return useMemo(() => {
    const { urql } = clients;
    const inParts = async (ids: readonly string[], send: (part: string[]) => Promise<Answer>) => {
      for (let start = 0; start < ids.length; start += AT_ONCE) check(await send(ids.slice(start, start + AT_ONCE)));
    };
    const put = (id: string, ids: readonly string[]) =>
      inParts(ids, async (part) => {
        const { data, error } = await urql.mutation(AddToAlbumDocument, { id, ids: part }).toPromise();
        if (!data) throw error;
        return data.addToAlbum;
      });
    const take = (id: string, ids: readonly string[]) =>
      inParts(ids, async (part) => {
        const { data, error } = await urql.mutation(RemoveFromAlbumDocument, { id, ids: part }).toPromise();
        if (!data) throw error;
        return data.removeFromAlbum;
      });
    const set = (ids: readonly string[], isFavorite: boolean) =>
      inParts(ids, async (part) => {
        const { data, error } = await urql.mutation(SetFavoritesDocument, { ids: part, isFavorite }).toPromise();
        if (!data) throw error;
        return data.setFavorites;
      });
    const withUndo = (text: string, undo: () => Promise<void>) =>
      void toast(text, { label: t.undo, run: () => void undo().catch((problem: unknown) => toast(messageOf(problem, problems))) });
    const update = async (id: string, input: { name?: string; position?: number }) => {
      const { data, error } = await urql.mutation(UpdateAlbumDocument, { id, input }).toPromise();
      if (!data) throw error;
      check(data.updateAlbum);
    };
    return {
      create: async (name) => {
        const { data, error } = await urql.mutation(CreateAlbumDocument, { name }).toPromise();
        if (!data) throw error;
        check(data.createAlbum);
        return data.createAlbum.album as Album;
      },
      rename: ({ id }, name) => update(id, { name }),
      moveToFront: ({ id }) => update(id, { position: 0 }),
      remove: async ({ id }) => {
        const { data, error } = await urql.mutation(DeleteAlbumDocument, { id }).toPromise();
        if (!data) throw error;
        check(data.deleteAlbum);
      },
      add: async ({ id, name }, pictures) => {
        const ids = pictures.filter(({ albums }) => !albums.some((one) => one.id === id)).map((one) => one.id);
        await put(id, ids);
        withUndo(t.added(ids.length, name), () => take(id, ids));
      },
      takeOut: async ({ id, name }, pictures) => {
        const ids = pictures.map((one) => one.id);
        await take(id, ids);
        withUndo(t.takenOut(ids.length, name), () => put(id, ids));
      },
      tag: (ids, name) =>
        inParts(ids, async (part) => {
          const { data, error } = await urql.mutation(AddTagsDocument, { ids: part, tags: [name] }).toPromise();
          if (!data) throw error;
          return data.addTags;
        }),
      untag: (ids, name) =>
        inParts(ids, async (part) => {
          const { data, error } = await urql.mutation(RemoveTagsDocument, { ids: part, tags: [name] }).toPromise();
          if (!data) throw error;
          return data.removeTags;
        }),
      renameTag: async ({ id }, name) => {
        const { data, error } = await urql.mutation(RenameTagDocument, { id, name }).toPromise();
        if (!data) throw error;
        check(data.renameTag);
        return data.renameTag.tag as Tag;
      },
      download: async (what) => {
        const variables = "ids" in what ? { ids: [...what.ids] } : what;
        const { data, error } = await urql.mutation(CreateArchiveDocument, variables).toPromise();
        if (!data) throw error;
        const { archive, errors } = data.createArchive;
        check(data.createArchive);
        if (!archive) throw new InputRefusedError(errors);
        toast(errors.length ? `${t.preparing} ${t.left(errors.length)}` : t.preparing);
        save(archive.url);
      },
      mark: async (pictures, isFavorite) => {
        const ids = pictures.filter((one) => one.isFavorite !== isFavorite).map((one) => one.id);
        await set(ids, isFavorite);
        withUndo(isFavorite ? t.marked(ids.length) : t.unmarked(ids.length), () => set(ids, !isFavorite));
      },
    };
  }, [clients, problems, t]);
}

/** Let the browser save what is at this address; the page stays. */
function save(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = "";
  link.click();
}

/** Run an action, and say what went wrong. */
export function useAttempt(): (act: () => Promise<void>) => void {
  const problems = useText(problemTexts);
  return (act) => void act().catch((problem: unknown) => void toast(messageOf(problem, problems)));
}
