// The view of all pictures of the account.
import { useDeferredValue, useEffect, useState } from "react";
import type { Selection } from "react-aria-components";
import { useText } from "../app/locale.tsx";
import { messageOf, problemTexts } from "../app/problem.ts";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { Chips, Empty, Skeleton } from "../components/card.tsx";
import { SearchField, useSearchWords } from "../components/field.tsx";
import { Select } from "../components/select.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { AlbumBar, AlbumMenu } from "../features/gallery/album-bar.tsx";
import { Filters } from "../features/gallery/filters.tsx";
import { useLists } from "../features/gallery/lists.ts";
import { EVERYTHING, FILTERS, isNarrow, ORDERS, useChoice, useHasVideos, useList, type Choice, type List } from "../features/gallery/query.ts";
import { SelectionBar } from "../features/gallery/selection-bar.tsx";
import { useSelected } from "../features/gallery/selection.ts";
import { Wall } from "../features/gallery/wall.tsx";
import { albums as albumTexts } from "../locales/albums.ts";
import { common } from "../locales/common.ts";
import { gallery } from "../locales/gallery.ts";
import style from "./gallery.module.css";

export default function GalleryPage() {
  const t = useText(gallery);
  const c = useText(common);
  const { viewer } = useSession();
  const { open } = useSignIn();
  if (viewer === null) {
    return (
      <Empty icon="album" title={t.signIn} text={t.signInText}>
        <Button look="primary" onPress={() => open("signIn")}>
          {c.signIn}
        </Button>
      </Empty>
    );
  }
  return <Gallery />;
}

function Gallery() {
  const t = useText(gallery);
  const [choice, change] = useChoice();
  const [words, setWords] = useSearchWords(choice.search, (search) => change({ search }));
  const [isSelecting, setSelecting] = useState(false);
  const list = useList(useDeferredValue(choice));
  const selection = useSelected(list);
  const hasVideos = useHasVideos();
  const { albums, tags, isKnown } = useLists();
  const album = albums.find(({ id }) => id === choice.album) ?? null;

  // An album or a tag that is gone, here or in another tab, is not chosen any more.
  const isGone = isKnown && ((choice.album && !album) || choice.tags.some((one) => !tags.some(({ id }) => id === one)));
  useEffect(() => {
    if (isGone) change({ album: album?.id ?? "", tags: choice.tags.filter((one) => tags.some(({ id }) => id === one)) });
  });
  const shownFilters = FILTERS.filter((id) => id !== "videos" || hasVideos || choice.filter === "videos");
  const stop = () => {
    setSelecting(false);
    selection.clear();
  };
  return (
    <>
      <header className={style["head"]}>
        <ViewTitle>{album ? album.name : t.title}</ViewTitle>
        <p role="status">{!list.isFirstLoad && t.count(list.total)}</p>
        {album && (
          <AlbumMenu album={album} isFirst={album.id === albums[0]?.id} onDeleted={() => change({ album: "" })} />
        )}
      </header>
      <AlbumBar albums={albums} chosen={album?.id ?? ""} onChoose={(id) => (stop(), change({ album: id }))} />
      <div className={style["tools"]}>
        <div className={style["search"]}>
          <SearchField label={t.search} value={words} onChange={setWords} />
        </div>
        <div className={style["filters"]}>
          <Chips
            label={t.show} value={choice.filter} onChange={(filter) => change({ filter })} scrolls
            choices={shownFilters.map((id) => ({ id, label: t.filters[id] }))}
          />
        </div>
        <Filters choice={choice} tags={tags} onChange={change} />
        <div className={style["end"]}>
          <Select
            label={t.order} isCompact value={choice.order} onChange={(order) => change({ order })}
            choices={ORDERS.map((id) => ({ id, label: t.orders[id] }))}
          />
          <Button size="small" isDisabled={!list.pictures.length} onPress={() => (isSelecting ? stop() : setSelecting(true))}>
            {isSelecting ? t.done : t.select}
          </Button>
        </div>
      </div>
      <Content
        list={list} choice={choice} onClear={() => change({ ...EVERYTHING, album: choice.album })} onAll={() => change(EVERYTHING)}
        isSelecting={isSelecting} selected={selection.ids} onSelect={selection.set}
      />
      {isSelecting && <SelectionBar list={list} album={album} selection={selection} onDone={stop} />}
    </>
  );
}

type ContentProps = {
  readonly list: List;
  readonly choice: Choice;
  readonly onClear: () => void;
  readonly onAll: () => void;
  readonly isSelecting: boolean;
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (selected: Selection) => void;
};

function Content({ list, choice, onClear, onAll, ...selection }: ContentProps) {
  const t = useText(gallery);
  const a = useText(albumTexts);
  const c = useText(common);
  const problems = useText(problemTexts);
  if (list.isFirstLoad) {
    return (
      <div className={style["skeletons"]}>
        {Array.from({ length: 12 }, (_, index) => (
          <Skeleton key={index} />
        ))}
      </div>
    );
  }
  if (list.error) {
    return (
      <Empty isPart icon="warning" title={c.failed} text={messageOf(list.error, problems)}>
        <Button onPress={list.reread}>{c.retry}</Button>
      </Empty>
    );
  }
  if (list.pictures.length) return <Wall list={list} {...selection} />;
  if (choice.search || choice.filter !== "all" || isNarrow(choice)) {
    return (
      <Empty isPart icon="search" title={t.none} text={t.noneText}>
        <Button onPress={onClear}>{t.clear}</Button>
      </Empty>
    );
  }
  if (choice.album) {
    return (
      <Empty isPart icon="album" title={a.empty} text={a.emptyText}>
        <Button onPress={onAll}>{a.toAll}</Button>
      </Empty>
    );
  }
  return (
    <Empty isPart icon="album" title={t.empty} text={t.emptyText}>
      <ButtonLink look="primary" size="large" icon="wand" to="/">
        {t.begin}
      </ButtonLink>
    </Empty>
  );
}
