// The wall of styles: every style with its picture, by collection and category, and found by words.
import { useDeferredValue, useMemo, useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Chips, Empty, Picture, Skeleton } from "../../components/card.tsx";
import { SearchField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { CatalogueDocument, OwnStylesDocument, type CatalogueQuery } from "../../gql/graphql.ts";
import { common } from "../../locales/common.ts";
import { home } from "../../locales/home.ts";
import { ownStyles } from "../../locales/own-styles.ts";
import { addressOf } from "./address.ts";
import style from "./wall.module.css";

export type Collection = CatalogueQuery["collections"][number];
export type Style = Collection["styles"][number];
type Entry = { readonly style: Style; readonly collection: Collection | null };

export function StyleWall() {
  const t = useText(home);
  const c = useText(common);
  const { viewer } = useSession();
  const [{ data: read, fetching, error }, reread] = useQuery({ query: CatalogueDocument });
  const data = useDeferredValue(read); // a hundred styles are rendered in short steps
  const isComing = !data && (Boolean(read) || (fetching && !error));
  const [{ data: ownData }] = useQuery({ query: OwnStylesDocument, pause: !viewer });
  const [search, setSearch] = useState("");
  const [group, setGroup] = useState("");
  const [category, setCategory] = useState("");
  const words = useDeferredValue(search);

  const own = ownData?.styles.edges ?? [];
  const mayAdd = typeof ownData?.deployment.maxCustomStyles === "number";
  const entries = useMemo<Entry[]>(
    () => [
      ...own.map(({ node }) => ({ style: node, collection: null })),
      ...(data?.collections ?? []).flatMap((collection) => collection.styles.map((one) => ({ style: one, collection }))),
    ],
    [data, own],
  );
  const collections = data?.collections ?? [];
  const inGroup = entries.filter((entry) => isIn(entry, group));
  const categories = [...new Set(inGroup.flatMap(({ style: one }) => one.category ?? []))];
  const chosen = categories.includes(category) ? category : ""; // they have other names in another language
  const shown = inGroup.filter((entry) => (!chosen || entry.style.category === chosen) && matches(entry, words));
  const groups = [
    { id: "", label: t.all },
    ...(mayAdd ? [{ id: "own", label: t.own }] : []),
    ...(collections.length > 1 ? collections.map(({ slug, title }) => ({ id: slug, label: title })) : []),
  ];
  const choose = (id: string) => (setGroup(id), setCategory(""));

  return (
    <section aria-label={t.styles}>
      <div className={style["tools"]}>
        <div className={style["head"]}>
          <h2>{t.styles}</h2>
          <div className={style["search"]}>
            {isComing ? <Skeleton css={{ height: "2.75rem", borderRadius: "99rem" }} /> : <SearchField label={t.search} value={search} onChange={setSearch} />}
          </div>
        </div>
        {groups.length > 1 && <Chips label={t.styles} choices={groups} value={group} onChange={choose} scrolls />}
        {categories.length > 1 && (
          <Chips
            label={t.categories} value={chosen} onChange={setCategory} scrolls
            choices={[{ id: "", label: t.all }, ...categories.map((name) => ({ id: name, label: name }))]}
          />
        )}
      </div>
      <p role="status" className="visually-hidden">
        {words && t.found(shown.length)}
      </p>
      {error && !read && !data ? (
        <Empty isPart icon="warning" title={c.failed}>
          <Button onPress={() => reread({ requestPolicy: "network-only" })}>{c.retry}</Button>
        </Empty>
      ) : shown.length || isComing || (group === "own" && !words) ? (
        <ul className={style["grid"]}>
          {mayAdd && group === "own" && !words && <NewCard />}
          {shown.map((entry, index) => (
            <StyleCard key={entry.style.id} {...entry} isFirst={index < 6} />
          ))}
          {!data && Array.from({ length: 12 }, (_, index) => <SkeletonCard key={index} />)}
        </ul>
      ) : (
        <Empty isPart icon="search" title={t.none} text={t.noneText}>
          <Button onPress={() => (setSearch(""), choose(""))}>{t.clear}</Button>
        </Empty>
      )}
    </section>
  );
}

function isIn({ collection }: Entry, group: string): boolean {
  return group === "" || (group === "own" ? collection === null : collection?.slug === group);
}

function matches({ style: { title, description, category }, collection }: Entry, words: string): boolean {
  const text = [title, description, category, collection?.title].join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function StyleCard({ style: one, collection, isFirst }: Entry & { readonly isFirst: boolean }) {
  const t = useText(home);
  const c = useText(common);
  return (
    <li>
      <Link href={addressOf(one, collection)} className={`${style["card"]} ${one.locked ? style["locked"] : ""}`}>
        <div className={style["frame"]}>
          {one.previewUrl || !one.isOwn ? (
            <Picture src={one.previewUrl} alt="" eager={isFirst} className={style["image"] ?? ""} />
          ) : (
            <div className={style["blank"]}>
              <Icon name="sparkle" />
            </div>
          )}
          <div className={style["marks"]}>
            {one.membersOnly && (
              <span className={style["mark"]}>
                <Icon name={one.locked ? "lock" : "sparkle"} />
                {t.members}
              </span>
            )}
            <span className={style["mark"]} aria-label={c.credits(one.cost)}>
              <Icon name="coin" />
              {one.cost}
            </span>
          </div>
        </div>
        <div>
          <h3 className={style["title"]}>{one.title}</h3>
          {one.description && <p className={style["text"]}>{one.description}</p>}
        </div>
      </Link>
    </li>
  );
}

/** The link to make a style. */
function NewCard() {
  const t = useText(ownStyles);
  return (
    <li>
      <Link href="/create/own/new" className={style["card"]}>
        <div className={`${style["frame"]} ${style["new"]}`}>
          <Icon name="plus" />
        </div>
        <div>
          <h3 className={style["title"]}>{t.create}</h3>
          <p className={style["text"]}>{t.createText}</p>
        </div>
      </Link>
    </li>
  );
}

function SkeletonCard() {
  return (
    <li className={style["card"]} aria-hidden="true">
      <Skeleton css={{ aspectRatio: "1" }} />
      <Skeleton css={{ height: "1.25rem", width: "60%" }} />
    </li>
  );
}
