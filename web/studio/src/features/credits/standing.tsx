// The pass and the plan of the account: what is left, and until when.
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import { useSession, type Viewer } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Icon } from "../../components/icons.tsx";
import { toast } from "../../components/toast.tsx";
import { BillingPortalDocument, CatalogueDocument, MeDocument, type OfferedPlanFragment, type WalletQuery } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import { credits } from "../../locales/credits.ts";
import { Features, PlanFeatures } from "./features.tsx";
import { clockOf, useDates, useSecondsUntil } from "./format.ts";
import style from "./standing.module.css";

type Pass = NonNullable<Viewer["pass"]>;
type Following = NonNullable<WalletQuery["viewer"]>["followingPasses"];

export function PassCard({ pass, following }: { readonly pass: Pass; readonly following: Following }) {
  const t = useText(credits);
  const c = useText(compose);
  const dates = useDates();
  const [{ data }] = useQuery({ query: CatalogueDocument });
  const titles = (data?.collections ?? []).filter(({ slug }) => pass.collections?.includes(slug)).map(({ title }) => title);
  const covers = [
    pass.collections ? titles.join(", ") : t.everything,
    pass.quality ? t.upTo(c.qualities[pass.quality]) : t.anyQuality,
  ];
  return (
    <section className={style["card"]} aria-labelledby="pass">
      <header>
        <p className={style["kind"]}>{t.pass}</p>
        <h2 id="pass">{pass.plan.title}</h2>
      </header>
      <Allowance label={t.images} icon="image" {...pass.images} />
      {pass.videos.perHour > 0 && <Allowance label={t.videos} icon="video" {...pass.videos} />}
      <dl className={style["facts"]}>
        <dt>{t.fresh}</dt>
        <dd>
          <Countdown key={pass.images.resetsAt} until={pass.images.resetsAt} />
        </dd>
        <dt>{t.endsIn}</dt>
        <dd>
          <Countdown key={pass.expiresAt} until={pass.expiresAt} />
        </dd>
        <dt>{t.covers}</dt>
        {covers.filter(Boolean).map((one) => (
          <dd key={one}>{one}</dd>
        ))}
      </dl>
      {following.map(({ plan, startsAt }) => (
        <p key={startsAt} className={style["text"]}>
          {t.next(plan.title, dates.moment(startsAt))}
        </p>
      ))}
    </section>
  );
}

type AllowanceProps = { readonly label: string; readonly icon: "image" | "video"; readonly remaining: number; readonly perHour: number };

function Allowance({ label, icon, remaining, perHour }: AllowanceProps) {
  const t = useText(credits);
  return (
    <div className={style["allowance"]}>
      <span>
        <Icon name={icon} />
        {label}
      </span>
      <span>{t.left(remaining, perHour)}</span>
      <span className={style["track"]} aria-hidden="true">
        <span style={{ width: `${perHour ? (remaining / perHour) * 100 : 0}%` }} />
      </span>
    </div>
  );
}

/** Screen readers find it, and are not interrupted by it. At its end the account is read again, should no message come. */
function Countdown({ until }: { readonly until: string }) {
  const seconds = useSecondsUntil(until);
  const [, reread] = useQuery({ query: MeDocument, pause: true });
  const isOver = seconds === 0;
  useEffect(() => {
    if (!isOver) return;
    const timer = setTimeout(() => reread({ requestPolicy: "network-only" }), 1500);
    return () => clearTimeout(timer);
  }, [isOver, reread]);
  return (
    <span role="timer" className={style["clock"]}>
      {clockOf(seconds)}
    </span>
  );
}

type Membership = NonNullable<Viewer["membership"]>;

type MembershipProps = { readonly membership: Membership; readonly plans: readonly OfferedPlanFragment[]; readonly isSold: boolean };

/** `plans`: those for sale, of which one that is sold no more is none. */
export function MembershipCard({ membership, plans, isSold }: MembershipProps) {
  const t = useText(credits);
  const dates = useDates();
  const { clients } = useSession();
  const [isBusy, setBusy] = useState(false);
  const { plan, renewsAt, endsAt, startedAt, isGranted } = membership;
  const ends = isGranted ? t.endsGranted : t.ends;
  const offered = plans.find(({ slug }) => slug === plan?.slug);
  const manage = async () => {
    setBusy(true);
    const found = await clients.darkroom.run(BillingPortalDocument, {}).catch(() => null);
    if (found?.viewer?.billingPortalUrl) return location.assign(found.viewer.billingPortalUrl);
    setBusy(false);
    toast(t.noPortal);
  };
  return (
    <section className={style["card"]} aria-labelledby="membership">
      <header>
        <p className={style["kind"]}>{t.membership}</p>
        <h2 id="membership">{plan?.title ?? t.granted}</h2>
      </header>
      <p className={style["text"]}>
        {endsAt ? ends(dates.day(endsAt)) : renewsAt ? t.renews(dates.day(renewsAt)) : t.since(dates.day(startedAt))}
      </p>
      {offered && (
        <Features>
          <PlanFeatures plan={offered} />
        </Features>
      )}
      {plan && isSold && !isGranted && (
        <div>
          <Button size="small" icon="external" busy={isBusy} onPress={() => void manage()}>
            {t.manage}
          </Button>
        </div>
      )}
    </section>
  );
}
