// The pictures of all accounts: all, those with a shared page, those in progress, those that failed.
import { useSearchParams } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Chips } from "../../components/card.tsx";
import { SearchField } from "../../components/field.tsx";
import style from "../../features/admin/admin.module.css";
import { ListOf } from "../../features/admin/list.tsx";
import { Head, PictureTable } from "../../features/admin/parts.tsx";
import { PictureActs } from "../../features/admin/picture-acts.tsx";
import { useList } from "../../features/admin/read.ts";
import { DeskPicturesDocument, type GenerationFilter } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { useSearch } from "./people.tsx";

const FILTERS: Readonly<Record<"all" | "shared" | "running" | "failed", GenerationFilter>> = {
  all: {},
  shared: { isShared: true },
  running: { status: ["PENDING", "PROCESSING"] },
  failed: { status: ["FAILED"] },
};
type Filter = keyof typeof FILTERS;
const NAMES = Object.keys(FILTERS) as Filter[];

export default function PicturesPage() {
  const { pictures: t } = useText(admin);
  const [params, setParams] = useSearchParams();
  const shown = NAMES.find((one) => one === params.get("show")) ?? "all";
  const [search, words, setWords] = useSearch();
  const filter = { ...FILTERS[shown], ...(search.trim() && { search: search.trim() }) };
  const list = useList(DeskPicturesDocument, { filter }, ({ admin: found }) => found?.generations);
  const show = (next: Filter) =>
    setParams((before) => {
      const changed = new URLSearchParams(before);
      if (next === "all") changed.delete("show");
      else changed.set("show", next);
      return changed;
    }, { replace: true });
  return (
    <>
      <Head title={t.title} note={list.total !== null && t.count(list.total)} />
      <div className={style["tools"]}>
        <div className={style["search"]}>
          <SearchField label={t.search} value={words} onChange={setWords} />
        </div>
        <div className={style["chips"]}>
          <Chips label={t.show} value={shown} onChange={show} scrolls choices={NAMES.map((id) => ({ id, label: t.filters[id] }))} />
        </div>
      </div>
      <ListOf list={list} empty={t.none} icon="image">
        {(pictures) => (
          <PictureTable
            pictures={pictures} hasOwner
            {...(shown === "shared" && { acts: (one, name) => <PictureActs picture={one} name={name} only={["unshare"]} /> })}
            {...(shown === "failed" && { acts: (one, name) => <PictureActs picture={one} name={name} only={["refund", "retry"]} /> })}
          />
        )}
      </ListOf>
    </>
  );
}
