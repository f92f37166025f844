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
import { compose } from "../../locales/compose.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import type { Style } from "../styles/wall.tsx";
import { quoteOf, type Draft } from "./draft.ts";
import { useFunds } from "./funds.ts";
import type { Order } from "./order.ts";
import { Price } from "./price.tsx";
import { useWay } from "./way.ts";
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
  const problems = useText(problemTexts);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const wanted = JSON.stringify(quoteOf(picked, draft, hasPhoto));
  const input = useDeferredValue(wanted);
  const [{ data, fetching }, reread] = useQuery({ query: QuoteDocument, variables: { input: JSON.parse(input) as never } });
  const quote = data?.quote;
  const isOfBefore = fetching || input !== wanted;
  const paysCredits = quote ? quote.paidBy === "CREDITS" : !viewer?.pass && !viewer?.membership;
  const priced = isOfBefore && paysCredits && each !== null ? { cost: each * draft.count, paidBy: "CREDITS" as const } : quote;

  const funds = useFunds();
  useEffect(() => reread({ requestPolicy: "network-only" }), [funds, reread]);

  // A visitor gets credits with the first order.
  const refusals = (quote?.errors ?? []).filter(({ code }) => viewer || !["INSUFFICIENT_CREDITS", "UNAUTHENTICATED"].includes(code));
  const isShort = refusals.some(({ code }) => code === "INSUFFICIENT_CREDITS");
  const isForMembers = refusals.some(({ code }) => code === "MEMBERSHIP_REQUIRED");
  const way = useWay(refusals);
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
      {order.problem !== null && <Problem>{messageOf(order.problem, problems)}</Problem>}
      {viewer === null && deployment.signIn.guestCredits === null ? (
        <Button look="primary" size="large" full onPress={() => open("signUp")}>
          {t.needsAccount}
        </Button>
      ) : isShort && viewer?.isGuest ? (
        <Button look="primary" size="large" full onPress={() => open("signUp")}>
          {t.moreCredits(deployment.signIn.signupCredits)}
        </Button>
      ) : way && viewer !== undefined ? (
        <ButtonLink look="primary" size="large" full icon="coin" to={way.to}>
          {way.label}
        </ButtonLink>
      ) : (
        <Button
          type="submit" look="primary" size="large" full icon="wand" busy={isBusy}
          isDisabled={!isBusy && (missing.length > 0 || refusals.length > 0 || !quote)}
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
              : viewer === null && !way && deployment.signIn.guestCredits !== null
              ? t.asGuest
              : quote?.paidBy === "CREDITS" && quote.affordable
                ? t.after(quote.balanceAfter)
                : null}
      </p>
    </div>
  );
}
