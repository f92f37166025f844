// Accounts, found by a part of their address or by their ID.
import { useSearchParams } from "wouter";
import { useText } from "../../app/locale.tsx";
import { SearchField, useSearchWords } from "../../components/field.tsx";
import style from "../../features/admin/admin.module.css";
import { useFormat } from "../../features/admin/format.ts";
import { ListOf } from "../../features/admin/list.tsx";
import { Head, PersonBadges, PersonLink } from "../../features/admin/parts.tsx";
import { useList } from "../../features/admin/read.ts";
import { Table } from "../../features/admin/table.tsx";
import { PeopleDocument } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

export default function PeoplePage() {
  const t = useText(admin);
  const { people } = t;
  const format = useFormat();
  const [search, words, setWords] = useSearch();
  const list = useList(PeopleDocument, { search }, ({ admin: found }) => found?.users);
  return (
    <>
      <Head title={people.title} note={list.total !== null && people.count(list.total)} />
      <div className={style["tools"]}>
        <div className={style["search"]}>
          <SearchField label={people.search} value={words} onChange={setWords} />
        </div>
      </div>
      <ListOf list={list} empty={people.none} emptyText={people.noneText}>
        {(found) => (
          <Table
            label={people.title} rows={found} keyOf={({ id }) => id}
            columns={[
              { id: "person", title: people.person, isHead: true, cell: (person) => <PersonLink person={person} /> },
              { id: "state", title: people.state, cell: (person) => <PersonBadges person={person} /> },
              { id: "credits", title: people.credits, isNumber: true, cell: ({ credits }) => format.number(credits) },
              { id: "joined", title: people.joined, isNumber: true, cell: ({ createdAt }) => format.date(createdAt) },
            ]}
          />
        )}
      </ListOf>
    </>
  );
}

/** The words of the address (`?search=`), those of the field, and how to change them. */
export function useSearch(): [string, string, (words: string) => void] {
  const [params, setParams] = useSearchParams();
  const search = params.get("search") ?? "";
  const put = (words: string) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (words) next.set("search", words);
        else next.delete("search");
        return next;
      },
      { replace: true },
    );
  return [search, ...useSearchWords(search, put)];
}
