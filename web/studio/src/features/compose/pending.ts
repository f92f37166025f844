// Orders without an answer yet, kept in the tab: each is made once, whatever happens to the connection, the page or the view.
import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { InputRefusedError, RefusedError } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import type { Clients } from "../../app/clients.ts";
import { createListeners } from "../../app/listeners.ts";
import { useText } from "../../app/locale.tsx";
import { isOffline, messageOf, problemTexts } from "../../app/problem.ts";
import { suspectServer } from "../../app/reachability.ts";
import { useSession, type Begun } from "../../app/session.tsx";
import { keepForOwner, onTabLeft, OWN } from "../../app/tab-owner.ts";
import { toast } from "../../components/toast.tsx";
import {
  CreatePicturesDocument,
  MeDocument,
  RefinePictureDocument,
  RepeatPictureDocument,
  type CreateGenerationInput,
  type RefineGenerationInput,
  type RegenerateInput,
} from "../../gql/graphql.ts";
import { common } from "../../locales/common.ts";
import { heldPhoto, releasePhoto } from "./photo-store.ts";

const KEPT = `${OWN}orders`;
const PAUSE = 2000; // milliseconds between two tries

export type Order =
  /** `photo`: the id of one that goes along, where none can be uploaded. */
  | { readonly kind: "create"; readonly input: CreateGenerationInput; readonly photo?: string }
  | { readonly kind: "repeat"; readonly input: RegenerateInput }
  | { readonly kind: "refine"; readonly input: RefineGenerationInput };

export type Pending = Order & {
  readonly key: string;
  /** The account that pays for it. */
  readonly owner: string;
  /** The address of the view that it was ordered in. */
  readonly from: string;
  /** Whether there is no connection. */
  readonly isWaiting: boolean;
};

let pending = kept();
const listeners = createListeners();
const running = new Set<string>(); // keys of what this page sends
const unclear = new Map<string, string>(); // the keys of what the server may have made, by what was ordered

onTabLeft(() => {
  keep([]);
  unclear.clear();
});

function kept(): readonly Pending[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as Pending[];
  } catch {
    return [];
  }
}

function keep(next: readonly Pending[]): void {
  const photos = photosOf(next);
  for (const photo of photosOf(pending)) if (!photos.has(photo)) releasePhoto(photo);
  pending = next;
  if (next.length) keepForOwner(KEPT, JSON.stringify(next));
  else sessionStorage.removeItem(KEPT);
  listeners.notify();
}

/** The ids of the photos that go along. */
function photosOf(orders: readonly Pending[]): Set<string> {
  return new Set(orders.flatMap((one) => (one.kind === "create" && one.photo ? [one.photo] : [])));
}

function forget(key: string): void {
  keep(pending.filter((one) => one.key !== key));
}

function setWaiting(key: string, isWaiting: boolean): void {
  keep(pending.map((one) => (one.key === key ? { ...one, isWaiting } : one)));
}

export function usePending(): readonly Pending[] {
  return useSyncExternalStore(listeners.subscribe, () => pending);
}

type Place = (order: Order, session: Begun, isHandled?: (refusal: unknown) => boolean) => Promise<void>;

/**
 * Place an order, and show what is made of it; until it is answered, `usePending` has it. `isHandled`: whether the caller
 * does something about a refusal, which is not said then.
 */
export function usePlace(): Place {
  const settle = useSettle();
  const problems = useText(problemTexts);
  const [from] = useLocation();
  const isShown = useRef(true);
  useEffect(() => {
    isShown.current = true;
    return () => void (isShown.current = false);
  }, []);
  return async (order, { clients, owner }, isHandled = () => false) => {
    const text = JSON.stringify(order);
    const key = unclear.get(text) ?? newKey();
    unclear.set(text, key);
    const placed: Pending = { ...order, key, owner, from, isWaiting: false };
    keep([...pending, placed]);
    try {
      await settle(clients, placed);
      unclear.delete(text);
    } catch (refusal) {
      if (refusal instanceof InputRefusedError) unclear.delete(text);
      if (!isShown.current && !isHandled(refusal)) toast(messageOf(refusal, problems)); // its view has gone, or is another one of the same address
      throw refusal;
    }
  };
}

/** Send what was not answered before the page was loaded: the same key makes it the same order. */
export function PendingOrders(): null {
  const { viewer, clients } = useSession();
  const settle = useSettle();
  const t = useText(common);
  const problems = useText(problemTexts);
  useEffect(() => {
    if (!viewer) return;
    for (const one of pending) {
      if (running.has(one.key)) continue;
      if (one.owner === viewer.id) {
        settle(clients, one).catch((refusal: unknown) => toast(messageOf(refusal, problems)));
      } else {
        forget(one.key);
        toast(t.notOrdered);
      }
    }
  }, [viewer?.id, clients, settle, t, problems]);
  return null;
}

function useSettle(): (clients: Clients, order: Pending) => Promise<void> {
  const t = useText(common);
  const [, navigate] = useLocation();
  return useCallback(
    async (clients, order) => {
      running.add(order.key);
      try {
        const address = await send(clients, order, (now) => toast(now ? t.notOrdered : t.notOrderedSignedOut));
        if (!address) return;
        if (location.pathname === order.from) navigate(address);
        else toast(t.ordered, { label: t.show, run: () => navigate(address) });
      } finally {
        running.delete(order.key);
      }
    },
    [t, navigate],
  );
}

/**
 * Send it, again while there is no connection; return the address of what is made, or null where its account has left: `onLeft`, with
 * who is signed in now.
 */
async function send(clients: Clients, order: Pending, onLeft: (now: string | null) => void): Promise<string | null> {
  const { key, owner } = order;
  const isKept = () => pending.some((one) => one.key === key);
  for (;;) {
    const { made, error } = await request(clients, order);
    if (isKept() && isOffline(error)) {
      setWaiting(key, true);
      const now = await accountOnceBack(clients);
      if (now !== owner && isKept()) {
        forget(key);
        onLeft(now);
      }
      if (isKept()) {
        setWaiting(key, false);
        continue;
      }
    }
    if (!isKept()) return null;
    forget(key);
    if (!made) throw error;
    const [first] = made.generations;
    if (made.errors.length || !first) throw new InputRefusedError(made.errors);
    return made.generations.length > 1 && first.batchId ? `/batches/${first.batchId}` : `/pictures/${first.id}`;
  }
}

/** Wait for the connection; return who is signed in then, in another tab perhaps. */
async function accountOnceBack({ darkroom }: Clients): Promise<string | null> {
  for (;;) {
    await Promise.all([new Promise((resolve) => setTimeout(resolve, PAUSE)), suspectServer()]);
    try {
      return (await darkroom.run(MeDocument, {})).viewer?.id ?? null;
    } catch (problem) {
      if (problem instanceof RefusedError && problem.code === "UNAUTHENTICATED") return null;
    }
  }
}

async function request({ urql }: Clients, { key, ...order }: Pending) {
  if (order.kind === "create") {
    const image = order.photo ? await heldPhoto(order.photo) : null;
    if (order.photo && !image) return { made: undefined, error: new Error("The photo of the order has gone.") };
    const input = { ...order.input, ...(image && { image }), idempotencyKey: key };
    const { data, error } = await urql.mutation(CreatePicturesDocument, { input }).toPromise();
    return { made: data?.createGeneration, error };
  }
  if (order.kind === "repeat") {
    const input = { ...order.input, idempotencyKey: key };
    const { data, error } = await urql.mutation(RepeatPictureDocument, { input }).toPromise();
    return { made: data?.regenerate, error };
  }
  const input = { ...order.input, idempotencyKey: key };
  const { data, error } = await urql.mutation(RefinePictureDocument, { input }).toPromise();
  return { made: data?.refineGeneration, error };
}
