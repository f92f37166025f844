// The view of credits: what the account has, what the product sells, and where credits came from and went to.
import { useEffect } from "react";
import { useQuery } from "urql";
import { useParams, useSearchParams } from "wouter";
import { Failed } from "../app/failed.tsx";
import { useText } from "../app/locale.tsx";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { Loading, Skeleton } from "../components/card.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { Balance } from "../features/credits/balance.tsx";
import { orderAddress } from "../features/credits/checkout.ts";
import { Ledger } from "../features/credits/ledger.tsx";
import { Offers } from "../features/credits/offers.tsx";
import { Referral } from "../features/credits/referral.tsx";
import { CanceledNote, PaidNote } from "../features/credits/return-note.tsx";
import { MembershipCard, PassCard } from "../features/credits/standing.tsx";
import { OffersDocument, WalletDocument, type OffersQuery, type WalletQuery } from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import { credits } from "../locales/credits.ts";
import style from "./credits.module.css";

export default function CreditsPage() {
  const t = useText(credits);
  const { viewer } = useSession();
  const { view } = useParams<{ view?: string }>();
  const [params] = useSearchParams();
  const order = orderAddress(params.get("from"));
  const [{ data, error }, reread] = useQuery({ query: OffersDocument });
  const [{ data: found, error: noWallet }, rereadWallet] = useQuery({ query: WalletDocument, pause: !viewer });
  useEffect(() => {
    if (viewer?.version) rereadWallet({ requestPolicy: "network-only" }); // what no message has: passes to come, invited accounts
  }, [viewer?.version, rereadWallet]);
  if ((error && !data) || (viewer && noWallet && !found?.viewer)) {
    return <Failed reread={[...(data ? [] : [reread]), ...(viewer ? [rereadWallet] : [])]} />;
  }
  if (!data || viewer === undefined || (viewer && !found?.viewer)) return <Waiting />;
  const expires =
    [...data.creditPackages, ...data.plans].some(({ creditsExpireDays }) => creditsExpireDays !== null) ||
    Boolean(found?.viewer?.expiringCredits.length);
  return (
    <>
      <header className={style["head"]}>
        <ViewTitle>{data.deployment.sellsCredits ? t.title : t.titleOfPasses}</ViewTitle>
        {order && !view && (
          <ButtonLink size="small" icon="back" to={order}>
            {t.toOrder}
          </ButtonLink>
        )}
      </header>
      {viewer && view === "paid" && <PaidNote key={viewer.id} order={order} />}
      {view === "canceled" && <CanceledNote order={order} />}
      <div className={style["parts"]}>
        {viewer && found?.viewer ? <Wallet wallet={found.viewer} offers={data} /> : <SignedOut offers={data} />}
        <Offers offers={data} order={order} />
        {viewer && found?.viewer && data.deployment.referrals && !viewer.isGuest && (
          <Referral rules={data.deployment.referrals} wallet={found.viewer} />
        )}
        {viewer && data.deployment.sellsCredits && <Ledger expires={expires} />}
      </div>
    </>
  );
}

type Props = { readonly wallet: NonNullable<WalletQuery["viewer"]>; readonly offers: OffersQuery };

function Wallet({ wallet, offers }: Props) {
  const t = useText(credits);
  const { viewer } = useSession();
  const { deployment } = offers;
  if (!viewer) return null;
  const { pass, membership } = viewer;
  return (
    <div className={style["wallet"]}>
      {deployment.sellsCredits && <Balance viewer={viewer} wallet={wallet} offers={offers} />}
      {pass ? (
        <PassCard pass={pass} following={wallet.followingPasses} />
      ) : (
        !deployment.sellsCredits && !membership?.plan?.unlimited && <p className={style["none"]}>{t.noPass}</p>
      )}
      {membership && <MembershipCard membership={membership} plans={offers.plans} isSold={deployment.payments !== null} />}
    </div>
  );
}

function SignedOut({ offers }: { readonly offers: OffersQuery }) {
  const t = useText(credits);
  const c = useText(common);
  const { open } = useSignIn();
  return (
    <div className={style["out"]}>
      <p>{offers.deployment.sellsCredits ? t.signIn : t.signInForPasses}</p>
      <Button look="primary" onPress={() => open("signIn")}>
        {c.signIn}
      </Button>
    </div>
  );
}

function Waiting() {
  return (
    <Loading>
      <div className={style["parts"]}>
        <Skeleton css={{ height: "11rem" }} />
        <Skeleton css={{ height: "14rem" }} />
      </div>
    </Loading>
  );
}
