// What the way back from the payment page says: paid and on its way, here, or canceled.
import { useEffect, useState } from "react";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { ButtonLink, Spinner } from "../../components/button.tsx";
import { Icon } from "../../components/icons.tsx";
import { credits } from "../../locales/credits.ts";
import { forgetPending, pendingOf, useArrival, type Arrival, type Pending } from "./checkout.ts";
import style from "./return-note.module.css";

export function CanceledNote({ order }: { readonly order: string | null }) {
  const t = useText(credits);
  useEffect(forgetPending, []);
  return (
    <Note icon="back" title={t.canceledTitle} text={t.canceled}>
      {order && <ButtonLink to={order}>{t.toOrder}</ButtonLink>}
    </Note>
  );
}

/** Nothing where this browser knows of no checkout of the account. */
export function PaidNote({ order }: { readonly order: string | null }) {
  const { viewer } = useSession();
  const [pending] = useState(() => (viewer ? pendingOf(viewer.id) : null));
  return pending && <Paid pending={pending} order={order} />;
}

function Paid({ pending, order }: { readonly pending: Pending; readonly order: string | null }) {
  const t = useText(credits);
  const { viewer } = useSession();
  const arrival = useArrival(pending);
  const hasArrived = arrival === "arrived";
  const isLater = pending.offer.kind === "pass" && pending.passEnd > new Date().toISOString() && Boolean(viewer?.pass);

  // Kept for a reload while it is shown, and over when the visitor goes on.
  useEffect(() => (hasArrived ? forgetPending : undefined), [hasArrived]);
  return (
    <Note
      icon="check" isBusy={!hasArrived} title={hasArrived ? t.arrivedTitle : t.paidTitle}
      text={textOf(t, pending, arrival, isLater)}
    >
      {hasArrived && (
        <ButtonLink look="primary" icon="wand" to={order ?? "/"}>
          {order ? t.toOrder : t.create}
        </ButtonLink>
      )}
    </Note>
  );
}

function textOf(t: typeof credits.en, { offer }: Pending, arrival: Arrival, isLater: boolean): string {
  if (arrival === "late") return t.late;
  const said = arrival === "arrived" ? t.arrived : t.arriving;
  if (offer.kind === "package") return said.package(offer.credits);
  if (offer.kind === "plan") return said.plan(offer.title);
  return arrival === "arrived" && isLater ? t.arrived.passLater(offer.title) : said.pass(offer.title);
}

type NoteProps = {
  readonly icon: "check" | "back";
  readonly isBusy?: boolean;
  readonly title: string;
  readonly text: string;
  readonly children?: React.ReactNode;
};

function Note({ icon, isBusy = false, title, text, children }: NoteProps) {
  return (
    <div className={style["note"]}>
      <span className={style["mark"]} aria-hidden="true">
        {isBusy ? <Spinner /> : <Icon name={icon} />}
      </span>
      <div role="status">
        <h2>{title}</h2>
        <p>{text}</p>
      </div>
      {children && <div className={style["act"]}>{children}</div>}
    </div>
  );
}
