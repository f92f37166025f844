// The state of a picture, live while it is made.
import { useEffect, useState } from "react";
import { useSubscription } from "urql";
import { PictureProgressDocument, type PicturePartsFragment } from "../../gql/graphql.ts";

export type Shown = PicturePartsFragment;

export function isEnded({ status }: Pick<Shown, "status">): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "CANCELED";
}

const MOST = 12; // subscriptions at once: a socket has 20, and other views need some
const following = new Set<symbol>();
const waiting = new Set<() => void>();

/** Return whether this component may follow a picture; where too many do, the others wait for their turn. */
function useTurn(isWanted: boolean): boolean {
  const [isMine, setMine] = useState(false);
  useEffect(() => {
    if (!isWanted) return;
    const key = Symbol();
    const take = () => {
      if (following.size >= MOST) return void waiting.add(take);
      waiting.delete(take);
      following.add(key);
      setMine(true);
    };
    take();
    return () => {
      waiting.delete(take);
      following.delete(key);
      setMine(false);
      const [next] = waiting;
      next?.();
    };
  }, [isWanted]);
  return isMine;
}

/**
 * Follow the picture until it has ended; what is said reaches the cache, and so every view of it. Its status comes with
 * the changes of the gallery anyhow.
 */
export function useProgress(picture: Shown): void {
  const isWanted = !isEnded(picture);
  const isMine = useTurn(isWanted);
  useSubscription({ query: PictureProgressDocument, variables: { id: picture.id }, pause: !isWanted || !isMine });
}

/** The seconds left by the server's estimate, counted down between its messages; null: unknown. */
export function useSecondsLeft({ estimatedSeconds, version }: Shown): number | null {
  const [left, setLeft] = useState(estimatedSeconds);
  useEffect(() => {
    setLeft(estimatedSeconds);
    if (estimatedSeconds === null) return;
    const timer = setInterval(() => setLeft((before) => (before === null ? null : Math.max(1, before - 1))), 1000);
    return () => clearInterval(timer);
  }, [estimatedSeconds, version]);
  return left === null ? null : Math.max(1, Math.round(left));
}

/** Whether it cost credits or a part of a pass: only that can have been returned. */
export function isCharged({ paidBy, cost }: Pick<Shown, "paidBy" | "cost">): boolean {
  return paidBy === "PASS" || (paidBy === "CREDITS" && cost > 0);
}

/** Its name for people: of the style, else its words. */
export function nameOf({ styleTitle, prompt }: Pick<Shown, "styleTitle" | "prompt">, otherwise: string): string {
  return styleTitle ?? prompt ?? otherwise;
}
