// What is done with the selected pictures.
import { Suspense, useState } from "react";
import { lazily } from "../../app/lazily.ts";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { albums as texts } from "../../locales/albums.ts";
import { gallery } from "../../locales/gallery.ts";
import { useDeletion } from "../picture/deletion.ts";
import { AddToAlbum } from "./album-menu.tsx";
import { useAttempt, useListActions, type Album } from "./lists.ts";
import type { List } from "./query.ts";
import type { Selected } from "./selection.ts";
import style from "./selection-bar.module.css";

const TagDialog = lazily(() => import("./tag-dialog.tsx"));

type Props = {
  readonly list: List;
  readonly album: Album | null;
  readonly selection: Selected;
  readonly onDone: () => void;
};

export function SelectionBar({ list, album, selection, onDone }: Props) {
  const t = useText(texts);
  const g = useText(gallery);
  const remove = useDeletion();
  const { mark, download } = useListActions();
  const attempt = useAttempt();
  const [isTagging, setTagging] = useState(false);
  const chosen = list.pictures.filter(({ id }) => selection.ids.has(id));
  const ids = chosen.map(({ id }) => id);
  const done = chosen.filter(({ status }) => status === "COMPLETED");
  const isMarked = done.length > 0 && done.every(({ isFavorite }) => isFavorite);
  const isDisabled = !ids.length || selection.isLoading;
  return (
    <div className={style["selection"]} role="toolbar" aria-label={g.select}>
      <p role="status">
        {selection.isLoading ? g.selecting(ids.length) : selection.isCut ? g.selectedOf(ids.length, list.total) : g.selected(ids.length)}
      </p>
      <Button look="quiet" size="small" busy={selection.isLoading} onPress={selection.all}>
        {g.all}
      </Button>
      <Button
        look="quiet" size="small" icon="heart" isDisabled={isDisabled || !done.length}
        onPress={() => (attempt(() => mark(done, !isMarked)), onDone())}
      >
        <span className={style["word"]}>{isMarked ? t.unfavorite : t.favorite}</span>
      </Button>
      <AddToAlbum
        pictures={chosen} shown={album} onDone={onDone}
        trigger={
          <Button look="quiet" size="small" icon="album" isDisabled={isDisabled}>
            <span className={style["word"]}>{t.add}</span>
          </Button>
        }
      />
      <Button look="quiet" size="small" icon="tag" isDisabled={isDisabled} onPress={() => setTagging(true)}>
        <span className={style["word"]}>{t.tag}</span>
      </Button>
      <Button
        look="quiet" size="small" icon="download" isDisabled={isDisabled || !done.length}
        onPress={() => (attempt(() => download({ ids: done.map(({ id }) => id) })), onDone())}
      >
        <span className={style["word"]}>{t.download}</span>
      </Button>
      <Button look="danger" size="small" icon="trash" isDisabled={isDisabled} onPress={() => (remove(ids), onDone())}>
        <span className={style["word"]}>{g.remove}</span>
      </Button>
      <Suspense>{isTagging && <TagDialog pictures={chosen} onClose={() => setTagging(false)} />}</Suspense>
    </div>
  );
}
