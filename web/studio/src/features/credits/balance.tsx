// The balance, live, and what it is enough for.
import { useQuery } from "urql";
import { useLocale, useText } from "../../app/locale.tsx";
import type { Viewer } from "../../app/session.tsx";
import { Icon } from "../../components/icons.tsx";
import { CatalogueDocument, type WalletQuery } from "../../gql/graphql.ts";
import { credits } from "../../locales/credits.ts";
import { useDates } from "./format.ts";
import style from "./balance.module.css";

const MOST = 3; // dates of expiry, the soonest

type Wallet = NonNullable<WalletQuery["viewer"]>;
type Props = { readonly viewer: Viewer; readonly wallet: Pick<Wallet, "hasLowCredits" | "expiringCredits"> };

export function Balance({ viewer, wallet }: Props) {
  const t = useText(credits);
  const { locale } = useLocale();
  const dates = useDates();
  const [{ data }] = useQuery({ query: CatalogueDocument });
  const enough = (data?.collections ?? [])
    .map(({ slug, title, baseCost }) => ({ slug, title, count: Math.floor(viewer.credits / baseCost) }))
    .filter(({ count }) => count > 0);
  return (
    <section className={style["balance"]} aria-label={t.balance}>
      <p className={style["number"]}>
        <Icon name="coin" />
        <span>
          <strong>{viewer.credits.toLocaleString(locale)}</strong> {t.unit(viewer.credits)}
        </span>
      </p>
      {wallet.hasLowCredits && (
        <p className={style["low"]}>
          <Icon name="warning" />
          {t.low}
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
      {wallet.expiringCredits.slice(0, MOST).map((one) => (
        <p key={one.expiresAt} className={style["expiring"]}>
          <Icon name="clock" />
          {t.expiring(one.credits, dates.day(one.expiresAt))}
        </p>
      ))}
    </section>
  );
}
