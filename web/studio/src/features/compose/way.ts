// The way from an order that is refused to what it takes: credits, a pass or a plan.
import { useQuery } from "urql";
import { useLocation } from "wouter";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { DeploymentDocument, type QuoteQuery } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";

type Refusal = Pick<NonNullable<QuoteQuery["quote"]>["errors"][number], "code">;

export type Way = { readonly needs: "credits" | "pass" | "plan"; readonly label: string; readonly to: string };

/** Where to get what the order needs, and back from there to this address; null: nothing helps that is for sale. */
export function useWay(refusals: readonly Refusal[]): Way | null {
  const t = useText(compose);
  const { viewer } = useSession();
  const [here] = useLocation();
  const [{ data }] = useQuery({ query: DeploymentDocument });
  const has = (...codes: string[]) => refusals.some(({ code }) => codes.includes(code));
  const to = (part: string) => `/credits?from=${encodeURIComponent(here)}${part}`;
  if (data && !data.deployment.sellsCredits && has("MEMBERSHIP_REQUIRED", "QUOTA_EXCEEDED")) {
    return viewer?.pass ? { needs: "pass", label: t.seePass, to: to("") } : { needs: "pass", label: t.getPass, to: to("#passes") };
  }
  if (has("MEMBERSHIP_REQUIRED")) return { needs: "plan", label: t.seePlans, to: to("#plans") };
  return has("INSUFFICIENT_CREDITS") ? { needs: "credits", label: t.getCredits, to: to("#packages") } : null;
}
