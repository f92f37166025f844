// The balance, live: what it is enough for, until when, and what is added by itself.
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import type { Viewer } from "../../app/session.tsx";
import { Icon } from "../../components/icons.tsx";
import { CatalogueDocument, type OffersQuery, type WalletQuery } from "../../gql/graphql.ts";
import { credits } from "../../locales/credits.ts";
import { grouped } from "../../locales/number.ts";
import { useDates } from "./format.ts";
import style from "./balance.module.css";

const MOST = 3; // dates of expiry, the soonest

type Wallet = NonNullable<WalletQuery["viewer"]>;
type Props = {
  readonly viewer: Viewer;
  readonly wallet: Pick<Wallet, "hasLowCredits" | "expiringCredits">;
  readonly offers: OffersQuery;
};

export function Balance({ viewer, wallet, offers }: Props) {
  const t = useText(credits);
  const dates = useDates();
  const [{ data }] = useQuery({ query: CatalogueDocument });
  const enough = (data?.collections ?? [])
    .map(({ slug, title, baseCost }) => ({ slug, title, count: Math.floor(viewer.credits / baseCost) }))
    .filter(({ count }) => count > 0);
  const { lowCredits, monthlyRefill, payments } = offers.deployment;
  const { hasLowCredits, expiringCredits } = wallet;
  return (
    <section className={style["balance"]} aria-label={t.balance}>
      <p className={style["number"]}>
        <Icon name="coin" />
        <span>
          <strong>{grouped(viewer.credits)}</strong> {t.unit(viewer.credits)}
        </span>
      </p>
      {hasLowCredits && lowCredits !== null && (
        <p className={style["low"]}>
          <Icon name="warning" />
          <span>
            {t.low(lowCredits)} {payments && offers.creditPackages.length > 0 && <a href="#packages">{t.getMore}</a>}
          </span>
        </p>
      )}
      {viewer.membership?.plan?.unlimited ? (
        <p className={style["text"]}>{t.unlimited}</p>
      ) : enough.length ? (
        <div className={style["worth"]}>
          <span className={style["text"]}>{t.worth}</span>
          <ul>
            {enough.map(({ slug, title, count }) => (
              <li key={slug}>{t.worthOf(count, title)}</li>
            ))}
          </ul>
        </div>
      ) : (
        data && <p className={style["text"]}>{t.worthNothing}</p>
      )}
      <ul className={style["terms"]}>
        {expiringCredits.slice(0, MOST).map((one) => (
          <li key={one.expiresAt}>
            <Icon name="clock" />
            {t.expiring(one.credits, dates.day(one.expiresAt))}
          </li>
        ))}
        {viewer.credits > 0 && expiringCredits.length === 0 && (
          <li>
            <Icon name="check" />
            {t.neverExpire}
          </li>
        )}
        {monthlyRefill && !viewer.isGuest && (
          <li>
            <Icon name="repeat" />
            {t.refill(monthlyRefill.credits, monthlyRefill.expireDays)}
          </li>
        )}
      </ul>
    </section>
  );
}
