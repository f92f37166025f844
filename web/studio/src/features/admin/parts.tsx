// Small parts that several views of the admin desk have: people, pictures, states, entries of the audit log.
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Badge, Picture } from "../../components/card.tsx";
import { Icon } from "../../components/icons.tsx";
import type { DeskPicturePartsFragment, EntryPartsFragment, PersonPartsFragment } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { useFormat } from "./format.ts";
import { Table } from "./table.tsx";
import { nameOf } from "./person-acts.tsx";
import style from "./admin.module.css";

type HeadProps = { readonly title: string; readonly note?: ReactNode; readonly lead?: string; readonly children?: ReactNode };

export function Head({ title, note, lead, children }: HeadProps) {
  return (
    <>
      <header className={style["head"]}>
        <h1>{title}</h1>
        <p role="status">{note}</p>
        {children && <div className={style["acts"]}>{children}</div>}
      </header>
      {lead && <p className={style["lead"]}>{lead}</p>}
    </>
  );
}

export function BackLink({ to, children }: { readonly to: string; readonly children: string }) {
  return (
    <Link href={to} className={style["back"]}>
      <Icon name="back" />
      {children}
    </Link>
  );
}

type Someone = { readonly id: string; readonly email?: string | null; readonly name?: string | null };

export function PersonLink({ person }: { readonly person: Someone }) {
  const hasName = Boolean(person.email && person.name);
  return (
    <span className={style["who"]}>
      <Link href={`/admin/people/${person.id}`}>{nameOf(person)}</Link>
      {hasName && <small>{person.name}</small>}
    </span>
  );
}

export function PersonBadges({ person }: { readonly person: PersonPartsFragment }) {
  const t = useText(admin);
  const { people } = t;
  return (
    <span className={style["badges"]}>
      {person.suspendedAt && <Badge icon="lock">{people.suspended}</Badge>}
      {person.role !== "USER" && <Badge icon="shield">{t.roles[person.role]}</Badge>}
      {person.isMember && <Badge icon="sparkle">{people.member}</Badge>}
      {person.isGuest ? <Badge>{people.guest}</Badge> : !person.email ? <Badge>{people.deleted}</Badge> : !person.emailVerified && <Badge>{people.unverified}</Badge>}
    </span>
  );
}

const LONGEST = 90; // characters of a name

/** What it was ordered with: words, else a style. */
export function pictureName({ prompt, styleTitle }: Pick<DeskPicturePartsFragment, "styleTitle" | "prompt">, free: string): string {
  if (!prompt) return styleTitle ?? free;
  return prompt.length > LONGEST ? `${prompt.slice(0, LONGEST - 1)}…` : prompt;
}

export function PictureBadges({ picture }: { readonly picture: DeskPicturePartsFragment }) {
  const { pictures } = useText(admin);
  return (
    <span className={style["badges"]}>
      <Badge>{pictures.statuses[picture.status]}</Badge>
      {picture.refunded && <Badge icon="coin">{pictures.refunded}</Badge>}
      {picture.shareUrl && <Badge icon="share">{pictures.shared}</Badge>}
    </span>
  );
}

type PicturesProps = {
  readonly pictures: readonly DeskPicturePartsFragment[];
  readonly hasOwner?: boolean;
  readonly acts?: (picture: DeskPicturePartsFragment, name: string) => ReactNode;
};

export function PictureTable({ pictures, hasOwner = false, acts }: PicturesProps) {
  const { pictures: t, payments } = useText(admin);
  const format = useFormat();
  return (
    <Table
      label={t.title} rows={pictures} keyOf={({ id }) => id}
      columns={[
        {
          id: "picture", title: t.picture, isHead: true,
          cell: (one) => (
            <span className={style["picture"]}>
              <Picture src={one.result?.thumbnailUrl} alt="" className={style["thumb"] ?? ""} />
              <span className={style["who"]}>
                <Link href={`/admin/pictures/${one.id}`}>{pictureName(one, t.free)}</Link>
                {one.styleTitle && one.prompt && <small>{one.styleTitle}</small>}
              </span>
            </span>
          ),
        },
        ...(hasOwner ? [{ id: "owner", title: t.owner, cell: ({ owner }: DeskPicturePartsFragment) => <PersonLink person={owner} /> }] : []),
        { id: "status", title: t.status, cell: (one) => <PictureBadges picture={one} /> },
        { id: "cost", title: t.cost, isNumber: true, cell: ({ cost }) => format.number(cost) },
        { id: "created", title: t.created, isNumber: true, cell: ({ createdAt }) => format.time(createdAt) },
        ...(acts ? [{ id: "acts", title: payments.acts, isBare: true, cell: (one: DeskPicturePartsFragment) => acts(one, pictureName(one, t.free)) }] : []),
      ]}
    />
  );
}

export function Facts({ facts }: { readonly facts: readonly (readonly [string, ReactNode] | null | false)[] }) {
  return (
    <dl className={style["facts"]}>
      {facts.map((fact) => fact && (
        <div key={fact[0]}>
          <dt>{fact[0]}</dt>
          <dd>{fact[1]}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Where the object of an entry is shown; null: nowhere. */
function addressOf(id: string): string | null {
  if (id.startsWith("usr_")) return `/admin/people/${id}`;
  return id.startsWith("gen_") ? `/admin/pictures/${id}` : null;
}

export function EntryTable({ entries, hasTarget = true }: { readonly entries: readonly EntryPartsFragment[]; readonly hasTarget?: boolean }) {
  const { audit, when } = useText(admin);
  const format = useFormat();
  return (
    <Table
      label={audit.title} rows={entries} keyOf={({ id }) => id}
      columns={[
        { id: "act", title: audit.act, isHead: true, cell: ({ action }) => audit.actions[action] ?? action },
        { id: "by", title: audit.by, cell: ({ actor }) => (actor ? <PersonLink person={actor} /> : <span className={style["quiet"]}>{audit.system}</span>) },
        ...(hasTarget ? [{ id: "about", title: audit.about, cell: ({ target, detail }: EntryPartsFragment) => <Target id={target ?? null} user={detail["user"]} /> }] : []),
        { id: "detail", title: audit.detail, cell: ({ detail }) => <Detail detail={detail} /> },
        { id: "at", title: when, isNumber: true, cell: ({ at }) => format.time(at) },
      ]}
    />
  );
}

function Target({ id, user }: { readonly id: string | null; readonly user: unknown }) {
  const t = useText(admin);
  if (!id) return <span className={style["quiet"]}>{t.audit.deployment}</span>;
  const address = addressOf(id);
  return (
    <span className={style["who"]}>
      {address ? <Link href={address} className={style["id"]}>{id}</Link> : <span className={style["id"]}>{id}</span>}
      {typeof user === "string" && user !== id && <Link href={`/admin/people/${user}`} className={style["id"]}>{user}</Link>}
    </span>
  );
}

function Detail({ detail }: { readonly detail: Record<string, unknown> }) {
  const { reason, user: _, ...rest } = detail;
  const others = Object.entries(rest).filter(([, value]) => value !== null);
  return (
    <div>
      {typeof reason === "string" && <p className={style["reason"]}>{reason}</p>}
      {others.length > 0 && (
        <dl className={style["detail"]}>
          {others.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
