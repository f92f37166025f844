// Paying: a payment page elsewhere, and the way back, on which the page waits until what was paid for has come.
import { useCallback, useEffect, useState } from "react";
import { useQuery } from "urql";
import { accepted } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import { useSession } from "../../app/session.tsx";
import { BoughtDocument, CheckoutDocument, WalletDocument, type BoughtQuery, type OffersQuery } from "../../gql/graphql.ts";

export type Offer =
  | { readonly kind: "package"; readonly slug: string; readonly credits: number }
  | { readonly kind: "pass" | "plan"; readonly slug: string; readonly title: string };

/** A checkout that was begun, with what the account had before it. */
export type Pending = { readonly offer: Offer; readonly user: string; readonly sequence: number; readonly passEnd: string };

const KEY = "studio.checkout";
const READ_EACH = 4000; // milliseconds
const LATE_AFTER = 60_000;

export function pendingOf(user: string): Pending | null {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "null") as Pending | null;
    return found?.user === user ? found : null;
  } catch {
    return null;
  }
}

export function forgetPending(): void {
  localStorage.removeItem(KEY);
}

/** Where orders are made, by a style or from a picture: only there leads the way back. */
export function orderAddress(address: string | null): string | null {
  return address && /^\/(create|pictures)\//.test(address) ? address : null;
}

type Payments = NonNullable<OffersQuery["deployment"]["payments"]>;
export type Start = { readonly busy: string | null; readonly problem: unknown; readonly start: (offer: Offer) => void };

/** `order`: the address of the order that waits for it. */
export function useCheckout(payments: Payments | null, order: string | null): Start {
  const { viewer, clients } = useSession();
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const user = viewer?.id;

  useEffect(() => {
    const shown = () => setBusy(null); // also when the browser's way back has shown this page as it was left
    addEventListener("pageshow", shown);
    return () => removeEventListener("pageshow", shown);
  }, []);

  const start = useCallback(
    (offer: Offer) => {
      const open = async () => {
        const before = await clients.darkroom.run(BoughtDocument, {});
        const query = order ? `?from=${encodeURIComponent(order)}` : "";
        const back = (view: string) => `${location.origin}/credits/${view}${query}`;
        const addresses = payments?.returnOrigins.includes(location.origin)
          ? { successUrl: back("paid"), cancelUrl: back("canceled") }
          : {};
        const what = offer.kind === "package" ? { package: offer.slug } : { plan: offer.slug };
        const input = { ...what, ...addresses, idempotencyKey: newKey() };
        const { checkout } = accepted((await clients.darkroom.run(CheckoutDocument, { input })).createCheckout);
        const pending: Pending = { offer, user: user ?? "", ...statusOf(before) };
        localStorage.setItem(KEY, JSON.stringify(pending));
        location.assign(checkout?.url ?? "");
      };
      setBusy(offer.slug);
      setProblem(null);
      open().catch((refusal: unknown) => {
        setProblem(refusal);
        setBusy(null);
      });
    },
    [clients, order, payments, user],
  );
  return { busy, problem, start };
}

function statusOf({ viewer }: BoughtQuery): { sequence: number; passEnd: string } {
  const ends = [viewer?.pass, ...(viewer?.followingPasses ?? [])].flatMap((one) => one?.expiresAt ?? []);
  return { sequence: viewer?.transactions.edges[0]?.node.sequence ?? 0, passEnd: ends.sort().at(-1) ?? "" };
}

function hasCome({ offer, sequence, passEnd }: Pending, found: BoughtQuery): boolean {
  const now = statusOf(found);
  if (offer.kind === "package") return now.sequence > sequence;
  if (offer.kind === "pass") return now.passEnd > passEnd;
  return found.viewer?.membership?.plan?.slug === offer.slug;
}

export type Arrival = "waiting" | "late" | "arrived";

/** Wait for what was paid for: live, and by reading again in case a message was lost. */
export function useArrival(pending: Pending | null): Arrival {
  const { viewer, clients } = useSession();
  const [arrival, setArrival] = useState<Arrival>("waiting");
  const [, reread] = useQuery({ query: WalletDocument, pause: true });
  const isOver = arrival === "arrived" || !pending;

  useEffect(() => {
    if (isOver) return;
    let isCurrent = true;
    const read = () =>
      clients.darkroom.run(BoughtDocument, {}).then(
        (found) => {
          if (!isCurrent || !hasCome(pending, found)) return;
          setArrival("arrived");
          reread({ requestPolicy: "network-only" });
        },
        () => undefined, // no connection: the next time
      );
    void read();
    const timer = setInterval(() => void read(), READ_EACH);
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [pending, isOver, viewer?.version, clients, reread]);

  useEffect(() => {
    const timer = setTimeout(() => setArrival((now) => (now === "waiting" ? "late" : now)), LATE_AFTER);
    return () => clearTimeout(timer);
  }, []);
  return arrival;
}
