// The view of all pictures of the account.
import { useDeferredValue, useEffect, useState } from "react";
import type { Selection } from "react-aria-components";
import { useText } from "../app/locale.tsx";
import { messageOf, problemTexts } from "../app/problem.ts";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { Chips, Empty, Skeleton } from "../components/card.tsx";
import { SearchField } from "../components/field.tsx";
import { Select } from "../components/select.tsx";
import { toast } from "../components/toast.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { EVERYTHING, FILTERS, ORDERS, useChoice, useList, type Choice, type List } from "../features/gallery/query.ts";
import { Wall } from "../features/gallery/wall.tsx";
import { useDeletion } from "../features/picture/deletion.ts";
import { SetFavoriteDocument } from "../gql/graphql.ts";
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
  const [words, setWords] = useState(choice.search);
  const [isSelecting, setSelecting] = useState(false);
  const [selected, setSelected] = useState<Selection>(new Set());
  const list = useList(useDeferredValue(choice));

  useEffect(() => {
    const timer = setTimeout(() => words !== choice.search && change({ search: words }), 250);
    return () => clearTimeout(timer);
  }); // each letter begins the wait again
  const stop = () => {
    setSelecting(false);
    setSelected(new Set());
  };
  return (
    <>
      <header className={style["head"]}>
        <h1>{t.title}</h1>
        <p role="status">{!list.isFirstLoad && t.count(list.total)}</p>
      </header>
      <div className={style["tools"]}>
        <div className={style["search"]}>
          <SearchField label={t.search} value={words} onChange={setWords} />
        </div>
        <div className={style["filters"]}>
          <Chips
            label={t.show} value={choice.filter} onChange={(filter) => change({ filter })} scrolls
            choices={FILTERS.map((id) => ({ id, label: t.filters[id] }))}
          />
        </div>
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
        list={list} choice={choice} onClear={() => (setWords(""), change(EVERYTHING))}
        isSelecting={isSelecting} selected={selected} onSelect={setSelected}
      />
      {isSelecting && <SelectionBar list={list} selected={selected} onSelect={setSelected} onDone={stop} />}
    </>
  );
}

type ContentProps = {
  readonly list: List;
  readonly choice: Choice;
  readonly onClear: () => void;
  readonly isSelecting: boolean;
  readonly selected: Selection;
  readonly onSelect: (selected: Selection) => void;
};

function Content({ list, choice, onClear, ...selection }: ContentProps) {
  const t = useText(gallery);
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
  if (choice.search || choice.filter !== "all") {
    return (
      <Empty isPart icon="search" title={t.none} text={t.noneText}>
        <Button onPress={onClear}>{t.clear}</Button>
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

type BarProps = {
  readonly list: List;
  readonly selected: Selection;
  readonly onSelect: (selected: Selection) => void;
  readonly onDone: () => void;
};

const AT_ONCE = 100; // deletions of one request

function SelectionBar({ list, selected, onSelect, onDone }: BarProps) {
  const t = useText(gallery);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const remove = useDeletion();
  const known = list.pictures.map(({ id }) => id);
  const ids = selected === "all" ? known : known.filter((id) => selected.has(id));
  const favorite = async () => {
    const done = list.pictures.filter(({ id, status, isFavorite }) => ids.includes(id) && status === "COMPLETED" && !isFavorite);
    onDone();
    for (const { id } of done) {
      const { error } = await clients.urql.mutation(SetFavoriteDocument, { id, isFavorite: true }).toPromise();
      if (error) return void toast(messageOf(error, problems));
    }
  };
  return (
    <div className={style["selection"]} role="toolbar" aria-label={t.select}>
      <p role="status">{t.selected(ids.length)}</p>
      <Button look="quiet" size="small" onPress={() => onSelect("all")}>
        {t.all}
      </Button>
      <Button look="quiet" size="small" icon="heart" isDisabled={!ids.length} onPress={() => void favorite()}>
        {t.favorite}
      </Button>
      <Button look="danger" size="small" icon="trash" isDisabled={!ids.length} onPress={() => (remove(ids.slice(0, AT_ONCE)), onDone())}>
        {t.remove}
      </Button>
    </div>
  );
}
