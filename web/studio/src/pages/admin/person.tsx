// One account: what it is, what admins can do with it, and its ledger, pictures, payments, sessions and acts.
import { useParams, useSearchParams } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Chips, Empty } from "../../components/card.tsx";
import style from "../../features/admin/admin.module.css";
import { EntryTable } from "../../features/admin/entries.tsx";
import { useFormat } from "../../features/admin/format.ts";
import { Failed, ListOf, Rows } from "../../features/admin/list.tsx";
import { LineTable } from "../../features/admin/lines.tsx";
import { BackLink, Facts, Head, PersonBadges, PictureTable } from "../../features/admin/parts.tsx";
import { nameOf, PersonActs, type Person } from "../../features/admin/person-acts.tsx";
import { useList, useRead } from "../../features/admin/read.ts";
import { Table } from "../../features/admin/table.tsx";
import {
  EntriesDocument,
  PersonAccessDocument,
  PersonDocument,
  PersonLinesDocument,
  PersonPicturesDocument,
  type TransactionType,
} from "../../gql/admin.ts";
import { account } from "../../locales/account.ts";
import { admin } from "../../locales/admin.ts";

const PARTS = ["ledger", "pictures", "payments", "access", "audit"] as const;
const PAID: TransactionType[] = ["PURCHASE", "SUBSCRIPTION", "REVERSAL"];

export default function PersonPage() {
  const t = useText(admin);
  const { id } = useParams<{ id: string }>();
  const { data, error, isLoading, reread } = useRead(PersonDocument, { id });
  const person = data?.admin?.user;
  if (!person) {
    return (
      <>
        <BackLink to="/admin/people">{t.people.title}</BackLink>
        {error ? <Failed error={error} onRetry={reread} /> : isLoading ? <Rows /> : <Empty icon="person" title={t.people.missing} />}
      </>
    );
  }
  return <Shown key={id} person={person} />;
}

function Shown({ person }: { readonly person: Person }) {
  const t = useText(admin);
  const [params, setParams] = useSearchParams();
  const part = PARTS.find((one) => one === params.get("part")) ?? "ledger";
  return (
    <>
      <BackLink to="/admin/people">{t.people.title}</BackLink>
      <Head title={nameOf(person)} note={person.email ? person.name : null} />
      <div className={style["stack"]}>
        <PersonBadges person={person} />
        <PersonFacts person={person} />
        <PersonActs person={person} />
        <div className={style["chips"]}>
          <Chips
            label={t.person.parts} value={part} onChange={(next) => setParams({ part: next }, { replace: true })} scrolls
            choices={PARTS.map((one) => ({ id: one, label: t.person.part[one] }))}
          />
        </div>
        {part === "ledger" && <Lines id={person.id} empty={t.person.noLines} />}
        {part === "pictures" && <Pictures id={person.id} />}
        {part === "payments" && <Lines id={person.id} empty={t.person.noPayments} types={PAID} />}
        {part === "access" && <Access id={person.id} />}
        {part === "audit" && <Entries id={person.id} />}
      </div>
    </>
  );
}

function PersonFacts({ person }: { readonly person: Person }) {
  const { person: t } = useText(admin);
  const format = useFormat();
  const { membership, pass, stats, storage, secondFactor } = person;
  const end = membership?.endsAt ? t.until(format.date(membership.endsAt)) : membership?.renewsAt ? t.renews(format.date(membership.renewsAt)) : "";
  return (
    <Facts
      facts={[
        [t.credits, format.number(person.credits)],
        [t.spent, format.number(stats.creditsSpent)],
        [t.pictures, format.number(stats.totalGenerations)],
        [t.failed, format.number(stats.failedGenerations)],
        membership && [t.plan, `${membership.plan?.title ?? t.granted} ${end}`.trim()],
        pass && [t.pass, `${pass.plan.title} ${t.until(format.time(pass.expiresAt))}`],
        [t.stored, format.bytes(storage.usedBytes)],
        [t.joined, format.date(person.createdAt)],
        person.locale != null && [t.language, person.locale],
        secondFactor && [t.factor, t.factorSince(format.date(secondFactor.since))],
        [t.id, <span className={style["id"]}>{person.id}</span>],
      ]}
    />
  );
}

type Props = { readonly id: string };

function Lines({ id, empty, types }: Props & { readonly empty: string; readonly types?: TransactionType[] }) {
  const variables = { id, ...(types && { filter: { type: types } }) };
  const list = useList(PersonLinesDocument, variables, ({ admin: found }) => found?.user?.transactions);
  return (
    <ListOf list={list} empty={empty} icon="coin">
      {(lines) => <LineTable lines={lines} />}
    </ListOf>
  );
}

function Pictures({ id }: Props) {
  const t = useText(admin);
  const list = useList(PersonPicturesDocument, { id }, ({ admin: found }) => found?.user?.generations);
  return (
    <ListOf list={list} empty={t.person.noPictures} icon="image">
      {(pictures) => <PictureTable pictures={pictures} />}
    </ListOf>
  );
}

function Entries({ id }: Props) {
  const t = useText(admin);
  const list = useList(EntriesDocument, { filter: { account: id } }, ({ admin: found }) => found?.auditLog);
  return (
    <ListOf list={list} empty={t.person.noEntries} icon="list">
      {(entries) => <EntryTable entries={entries} />}
    </ListOf>
  );
}

function Access({ id }: Props) {
  const { person: t } = useText(admin);
  const { scopes } = useText(account);
  const format = useFormat();
  const { data, error, reread } = useRead(PersonAccessDocument, { id });
  const user = data?.admin?.user;
  if (!user) return error ? <Failed error={error} onRetry={reread} /> : <Rows />;
  const { sessions, apiKeys } = user;
  return (
    <>
      <section className={style["stack"]}>
        <h2>{t.sessions}</h2>
        {sessions?.length ? (
          <Table
            label={t.sessions} rows={sessions} keyOf={(one) => one.id}
            columns={[
              { id: "device", title: t.device, isHead: true, cell: ({ device }) => device ?? t.unknown },
              { id: "place", title: t.place, cell: ({ place }) => place ?? t.unknown },
              { id: "seen", title: t.lastSeen, isNumber: true, cell: ({ lastSeenAt }) => format.time(lastSeenAt) },
              { id: "since", title: t.signedIn, isNumber: true, cell: ({ createdAt }) => format.time(createdAt) },
            ]}
          />
        ) : (
          <p className={style["quiet"]}>{t.noSessions}</p>
        )}
      </section>
      <section className={style["stack"]}>
        <h2>{t.keys}</h2>
        {apiKeys.length ? (
          <Table
            label={t.keys} rows={apiKeys} keyOf={(one) => one.id}
            columns={[
              { id: "name", title: t.name, isHead: true, cell: ({ name, hint }) => `${name} …${hint}` },
              { id: "scope", title: t.scope, cell: ({ scope }) => scopes[scope] },
              { id: "used", title: t.lastUsed, isNumber: true, cell: ({ lastUsedAt }) => (lastUsedAt ? format.time(lastUsedAt) : t.never) },
              { id: "ends", title: t.expires, isNumber: true, cell: ({ expiresAt }) => (expiresAt ? format.date(expiresAt) : t.never) },
            ]}
          />
        ) : (
          <p className={style["quiet"]}>{t.noKeys}</p>
        )}
      </section>
    </>
  );
}
