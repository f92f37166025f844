// What an order costs, as its button says it.
import { useText } from "../../app/locale.tsx";
import type { QuoteQuery } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import style from "./composer.module.css";

export type Priced = Pick<NonNullable<QuoteQuery["quote"]>, "cost" | "paidBy">;

export function Price({ quote }: { readonly quote: Priced | null | undefined }) {
  const t = useText(compose);
  if (!quote) return null;
  return <span className={style["price"]}>{{ CREDITS: t.cost(quote.cost), PASS: t.byPass, PLAN: t.byPlan }[quote.paidBy]}</span>;
}
