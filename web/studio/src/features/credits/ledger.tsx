// The history: every line of the ledger by day, live, older ones as one scrolls.
import { useEffect, useId, useRef, useState } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { onReread } from "../../app/clients.ts";
import { useLocale, useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Chips, Empty, Skeleton } from "../../components/card.tsx";
import { Icon, type IconName } from "../../components/icons.tsx";
import { LedgerDocument, type LedgerLinePartsFragment, type TransactionType } from "../../gql/graphql.ts";
import { common } from "../../locales/common.ts";
import { credits } from "../../locales/credits.ts";
import { grouped } from "../../locales/number.ts";
import { priceOf, useDates } from "./format.ts";
import style from "./ledger.module.css";

type Line = LedgerLinePartsFragment;
type Kind = keyof typeof credits.en.kinds;

const KINDS: Readonly<Record<Kind, readonly TransactionType[] | null>> = {
  all: null,
  spent: ["DEDUCTION"],
  bought: ["PURCHASE", "SUBSCRIPTION", "REVERSAL"],
  returned: ["REFUND"],
  given: ["BONUS", "ADMIN", "TRANSFER", "ROLLOVER"],
  expired: ["EXPIRY"],
};

const ICONS: Readonly<Record<TransactionType, IconName>> = {
  BONUS: "heart",
  PURCHASE: "coin",
  SUBSCRIPTION: "repeat",
  DEDUCTION: "image",
  REFUND: "back",
  ADMIN: "shield",
  REVERSAL: "warning",
  TRANSFER: "person",
  EXPIRY: "clock",
  ROLLOVER: "repeat",
};

/** `expires`: whether there are credits here that expire. */
export function Ledger({ expires }: { readonly expires: boolean }) {
  const t = useText(credits);
  const c = useText(common);
  const problems = useText(problemTexts);
  const id = useId();
  const [kind, setKind] = useState<Kind>("all");
  const [after, setAfter] = useState<string | null>(null);
  const type = KINDS[kind];
  const variables = { ...(type && { filter: { type: [...type] } }), ...(after && { after }) };
  const [{ data, fetching, error, stale }, execute] = useQuery({ query: LedgerDocument, variables });
  const list = data?.viewer?.transactions;
  const lines = (list?.edges ?? []).map(({ node }) => node);
  const end = list?.pageInfo.hasNextPage ? list.pageInfo.endCursor : null;
  const isLoading = (fetching || stale) && after !== null;

  // After missed messages from the first page on; the others follow where they are looked at.
  useEffect(() => onReread(() => setAfter(null)), []);
  return (
    <section aria-labelledby={id} className={style["ledger"]}>
      <h2 id={id}>{t.history}</h2>
      <Chips
        label={t.history} value={kind} onChange={(next) => (setAfter(null), setKind(next))} scrolls
        choices={(Object.keys(KINDS) as Kind[]).filter((one) => expires || one !== "expired").map((one) => ({ id: one, label: t.kinds[one] }))}
      />
      {error && !list ? (
        <Empty isPart icon="warning" title={c.failed} text={messageOf(error, problems)}>
          <Button onPress={() => execute({ requestPolicy: "network-only" })}>{c.retry}</Button>
        </Empty>
      ) : !list ? (
        <div aria-busy="true" className={style["skeletons"]}>
          {Array.from({ length: 4 }, (_, index) => (
            <Skeleton key={index} css={{ height: "3.5rem" }} />
          ))}
        </div>
      ) : lines.length ? (
        <Days lines={lines} />
      ) : (
        <Empty isPart icon="coin" title={kind === "all" ? t.noHistory : t.noneOfKind} text={kind === "all" && t.noHistoryText} />
      )}
      {end !== null && <Older isLoading={isLoading} onMore={() => setAfter(end)} />}
    </section>
  );
}

function Days({ lines }: { readonly lines: readonly Line[] }) {
  const nameOf = useDayName();
  const days = new Map<string, Line[]>();
  for (const line of lines) {
    const day = nameOf(line.createdAt);
    days.set(day, [...(days.get(day) ?? []), line]);
  }
  return [...days].map(([day, ofDay]) => (
    <div key={day} className={style["day"]}>
      <h3>{day}</h3>
      <ul>
        {ofDay.map((line) => (
          <LineRow key={line.id} line={line} />
        ))}
      </ul>
    </div>
  ));
}

function useDayName(): (when: string) => string {
  const t = useText(credits);
  const dates = useDates();
  const today = dates.day(new Date().toISOString());
  const yesterday = dates.day(new Date(Date.now() - 86_400_000).toISOString());
  return (when) => {
    const day = dates.day(when);
    return day === today ? t.today : day === yesterday ? t.yesterday : day;
  };
}

function LineRow({ line }: { readonly line: Line }) {
  const t = useText(credits);
  const dates = useDates();
  const { locale } = useLocale();
  const { generation: made, price, currency } = line;
  const name = made && ([made.styleTitle, made.prompt].filter(Boolean).join(" · ") || (made.media === "VIDEO" ? t.video : t.picture));
  const amount = `${line.amount > 0 ? "+" : "−"}${grouped(Math.abs(line.amount))}`;
  return (
    <li className={style["line"]}>
      <Icon name={made?.media === "VIDEO" ? "video" : ICONS[line.type]} />
      <div className={style["what"]}>
        <p>{line.description}</p>
        <p className={style["quiet"]}>
          <time dateTime={line.createdAt}>{dates.time(line.createdAt)}</time>
          {made && (
            <Link href={`/pictures/${made.id}`} aria-label={t.openPicture(name ?? "")}>
              {name}
            </Link>
          )}
          {line.expiresAt && <span className={style["until"]}>{t.until(dates.day(line.expiresAt))}</span>}
          {price !== null && currency !== null && <span>{priceOf(price, currency, locale)}</span>}
        </p>
      </div>
      <p className={style["amount"]} data-gain={line.amount > 0 || undefined}>
        {amount}
        <span className={style["quiet"]}>{t.after(line.balance)}</span>
      </p>
    </li>
  );
}

/** A button that presses itself when it is seen. */
function Older({ isLoading, onMore }: { readonly isLoading: boolean; readonly onMore: () => void }) {
  const t = useText(credits);
  const place = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  more.current = onMore;
  useEffect(() => {
    if (isLoading || !place.current) return;
    const observer = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && more.current());
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [isLoading]);
  return (
    <div ref={place} className={style["older"]}>
      <Button size="small" busy={isLoading} onPress={onMore}>
        {t.older}
      </Button>
    </div>
  );
}
