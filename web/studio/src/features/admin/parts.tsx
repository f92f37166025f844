// Small parts that several views of the admin desk have: people, pictures, states.
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Badge, Picture } from "../../components/card.tsx";
import { Icon } from "../../components/icons.tsx";
import { ViewTitle } from "../../components/view-title.tsx";
import type { DeskPicturePartsFragment, PersonPartsFragment } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { isCharged } from "../picture/state.ts";
import { useFormat } from "./format.ts";
import { Table } from "./table.tsx";
import style from "./admin.module.css";

type HeadProps = { readonly title: string; readonly note?: ReactNode; readonly lead?: string; readonly children?: ReactNode };

export function Head({ title, note, lead, children }: HeadProps) {
  return (
    <>
      <header className={style["head"]}>
        <ViewTitle>{title}</ViewTitle>
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
  const { people } = useText(admin);
  const hasName = Boolean(person.email && person.name);
  return (
    <span className={style["who"]}>
      <Link href={`/admin/people/${person.id}`}>{person.email ?? person.name ?? people.deleted}</Link>
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
      {picture.refunded && isCharged(picture) && <Badge icon="coin">{pictures.refunded}</Badge>}
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
