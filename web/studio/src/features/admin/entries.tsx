// Entries of the audit log in words: who did what, to whom, and why.
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import type { EntryPartsFragment } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminAudit } from "../../locales/admin-audit.ts";
import { useDetails } from "./entry-details.ts";
import { useFormat } from "./format.ts";
import { PersonLink, pictureName } from "./parts.tsx";
import { Table } from "./table.tsx";
import style from "./admin.module.css";

type Entry = EntryPartsFragment;

export function EntryTable({ entries }: { readonly entries: readonly Entry[] }) {
  const { when } = useText(admin);
  const t = useText(adminAudit);
  const format = useFormat();
  return (
    <Table
      label={t.title} rows={entries} keyOf={({ id }) => id}
      columns={[
        { id: "act", title: t.act, isHead: true, cell: ({ action }) => t.actions[action] ?? action },
        { id: "by", title: t.by, cell: ({ actor }) => (actor ? <PersonLink person={actor} /> : <span className={style["quiet"]}>{t.system}</span>) },
        { id: "about", title: t.about, cell: (entry) => <Target entry={entry} /> },
        { id: "detail", title: t.detail, cell: (entry) => <Details entry={entry} /> },
        { id: "at", title: when, isNumber: true, cell: ({ at }) => format.time(at) },
      ]}
    />
  );
}

/** What was changed, and whose it is; an account without an address is a guest's, or was deleted. */
function Target({ entry }: { readonly entry: Entry }) {
  const { user } = entry;
  return (
    <span className={style["who"]}>
      <What entry={entry} />
      {user && <PersonLink person={user} />}
    </span>
  );
}

function What({ entry: { target, detail, user, generation, style: changed } }: { readonly entry: Entry }): ReactNode {
  const t = useText(adminAudit);
  const { pictures } = useText(admin);
  if (!target) return <span className={style["quiet"]}>{t.deployment}</span>;
  if (generation) return <Link href={`/admin/pictures/${generation.id}`}>{pictureName(generation, pictures.free)}</Link>;
  if (target.startsWith("gen_")) return <span>{t.deletedPicture}</span>;
  if (target.startsWith("sty_")) return <span>{t.style(changed?.title ?? String(detail["slug"] ?? t.removedStyle))}</span>;
  if (target.startsWith("evt_")) return <span>{t.payment}</span>;
  return user ? null : <span>{t.deletedAccount}</span>;
}

function Details({ entry }: { readonly entry: Entry }) {
  const t = useText(adminAudit);
  const details = useDetails(entry);
  const { reason, generation } = entry.detail;
  return (
    <div className={style["detail"]}>
      {typeof reason === "string" && <p className={style["reason"]}>{reason}</p>}
      {details.map((one) => (
        <p key={one}>{one}</p>
      ))}
      {entry.action === "RETRY_GENERATION" && typeof generation === "string" && (
        <p>
          <Link href={`/admin/pictures/${generation}`}>{t.newPicture}</Link>
        </p>
      )}
    </div>
  );
}
