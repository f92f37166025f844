// The button that orders, with its price, and the reasons where it cannot be ordered.
import { useDeferredValue, useEffect } from "react";
import { useQuery } from "urql";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button, ButtonLink } from "../../components/button.tsx";
import { Problem } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { QuoteDocument, type DeploymentQuery } from "../../gql/graphql.ts";
import { common } from "../../locales/common.ts";
import { compose } from "../../locales/compose.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import type { Style } from "../styles/wall.tsx";
import { quoteOf, type Draft } from "./draft.ts";
import { useFunds } from "./funds.ts";
import type { Order } from "./order.ts";
import { Price, type Priced } from "./price.tsx";
import { useWay, type Way } from "./way.ts";
import style from "./composer.module.css";

type Props = {
  readonly picked: Style;
  readonly draft: Draft;
  /** Whether the order has a photo, or cannot be made before it has one. */
  readonly hasPhoto: boolean;
  /** Credits for one by what the catalogue says, shown until the server's quote is there; null: not known. */
  readonly each: number | null;
  /** What the visitor has to do first. */
  readonly missing: readonly string[];
  readonly order: Order;
  readonly deployment: DeploymentQuery["deployment"];
};

export function OrderBar({ picked, draft, hasPhoto, each, missing, order, deployment }: Props) {
  const t = useText(compose);
  const c = useText(common);
  const problems = useText(problemTexts);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const { quote, priced, error, reread } = usePrice({ picked, draft, hasPhoto, each });

  // A visitor gets credits with the first order.
  const refusals = (quote?.errors ?? []).filter(({ code }) => viewer || !["INSUFFICIENT_CREDITS", "UNAUTHENTICATED"].includes(code));
  const isForMembers = refusals.some(({ code }) => code === "MEMBERSHIP_REQUIRED");
  const way = useWay(refusals);
  const account = useAccountOffer(way, priced, deployment.signIn);
  const isBusy = order.state !== "idle";
  return (
    <div className={style["bar"]}>
      {(refusals.length > 0 || missing.length > 0) && (
        <ul className={style["reasons"]}>
          {[...missing, ...refusals.map(({ message }) => message)].map((reason) => (
            <li key={reason}>
              <Icon name={isForMembers ? "lock" : "warning"} />
              {reason}
            </li>
          ))}
          {way?.needs === "plan" && <li>{t.unlock}</li>}
        </ul>
      )}
      {error && (
        <div className={style["unread"]}>
          <Problem>{messageOf(error, problems)}</Problem>
          <Button size="small" onPress={() => reread({ requestPolicy: "network-only" })}>
            {c.retry}
          </Button>
        </div>
      )}
      {order.problem !== null && <Problem>{messageOf(order.problem, problems)}</Problem>}
      {account !== null ? (
        <Button look="primary" size="large" full onPress={() => open("signUp")}>
          {account}
        </Button>
      ) : way && viewer !== undefined ? (
        <ButtonLink look="primary" size="large" full icon="coin" to={way.to}>
          {way.label}
        </ButtonLink>
      ) : (
        // Without a price, the server checks the order when it is placed.
        <Button
          type="submit" look="primary" size="large" full icon="wand" busy={isBusy}
          isDisabled={!isBusy && (missing.length > 0 || refusals.length > 0 || (!quote && !error))}
        >
          <span>{draft.count > 1 ? t.makeMany(draft.count) : t.make}</span>
          <Price quote={priced} />
        </Button>
      )}
      <p className={style["under"]} role="status">
        {order.state === "waiting"
          ? t.waiting
          : isBusy
            ? t.working
            : way && viewer && !viewer.isGuest
              ? t.orderKept
              : viewer === null && !way && account === null
                ? t.asGuest
                : quote?.paidBy === "CREDITS" && quote.affordable
                  ? t.after(quote.balanceAfter)
                  : null}
      </p>
    </div>
  );
}

/** The server's quote, and before it the price by the catalogue. `error`: why there is no quote. */
function usePrice({ picked, draft, hasPhoto, each }: Pick<Props, "picked" | "draft" | "hasPhoto" | "each">) {
  const { viewer } = useSession();
  const wanted = JSON.stringify(quoteOf(picked, draft, hasPhoto));
  const input = useDeferredValue(wanted);
  const [{ data, fetching, error }, reread] = useQuery({ query: QuoteDocument, variables: { input: JSON.parse(input) as never } });
  const funds = useFunds();
  useEffect(() => reread({ requestPolicy: "network-only" }), [funds, reread]);

  const quote = data?.quote ?? null;
  const isOfBefore = fetching || input !== wanted || !quote;
  const paysCredits = quote ? quote.paidBy === "CREDITS" : !viewer?.pass && !viewer?.membership;
  const byCatalogue = isOfBefore && paysCredits && each !== null;
  const priced: Priced | null = byCatalogue ? { cost: each * draft.count, paidBy: "CREDITS" } : quote;
  return { quote, priced, error: quote ? undefined : error, reread };
}

/** What the button says that asks for an account before the order; null: none is needed. */
function useAccountOffer(
  way: Way | null, priced: Priced | null, { signupCredits, guestCredits }: DeploymentQuery["deployment"]["signIn"],
): string | null {
  const t = useText(compose);
  const { viewer } = useSession();
  // The bonus is less what the guest has got.
  const bonus = signupCredits - ((viewer?.isGuest && guestCredits) || 0);
  if (viewer === null && guestCredits === null) return t.needsAccount;
  const isShort = viewer ? viewer.isGuest && way?.needs === "credits" : viewer === null && !way && priced && priced.cost > (guestCredits ?? 0);
  return isShort ? (bonus > 0 ? t.moreCredits(bonus) : t.needsAccount) : null;
}
