// Deletion that can be undone: pictures disappear at once, and are deleted when the offer to undo has gone.
import { useCallback, useSyncExternalStore } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { requestOptions } from "../../app/clients.ts";
import { createListeners } from "../../app/listeners.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { beforeLeaving } from "../../app/tab-owner.ts";
import { closeToast, toast } from "../../components/toast.tsx";
import { DeleteGenerationsDocument } from "../../gql/graphql.ts";
import { picture } from "../../locales/picture.ts";

const AT_ONCE = 100; // pictures of one request

let hidden: ReadonlySet<string> = new Set();
const listeners = createListeners();

function partsOf(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, index) => ids.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
}

function change(ids: readonly string[], isHidden: boolean): void {
  const next = new Set(hidden);
  for (const id of ids) {
    if (isHidden) next.add(id);
    else next.delete(id);
  }
  hidden = next;
  listeners.notify();
}

/** The pictures that are about to be deleted, and shown nowhere. */
export function useHidden(): ReadonlySet<string> {
  return useSyncExternalStore(listeners.subscribe, () => hidden);
}

export function useDeletion(): (ids: readonly string[]) => void {
  const t = useText(picture);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  return useCallback(
    (ids) => {
      let sent: Promise<void> | null = null;
      const remove = async (part: string[], isLeaving: boolean) => {
        const options = isLeaving ? { fetchOptions: { ...requestOptions(clients.darkroom), keepalive: true } } : {};
        const { data, error } = await clients.urql.mutation(DeleteGenerationsDocument, { ids: part }, options).toPromise();
        if (!data) throw error;
        accepted(data.deleteGenerations);
      };
      const send = async (isLeaving: boolean) => {
        removeEventListener("pagehide", leave);
        try {
          const parts = partsOf(ids);
          if (isLeaving) await Promise.all(parts.map((part) => remove(part, true))); // nothing is sent after the page has gone
          else for (const part of parts) await remove(part, false);
        } catch (problem) {
          change(ids, false);
          toast(messageOf(problem, problems));
        } finally {
          forget();
        }
      };
      const run = (isLeaving: boolean) => (sent ??= send(isLeaving)); // once
      const undo = () => {
        sent = Promise.resolve();
        removeEventListener("pagehide", leave);
        forget();
        change(ids, false);
      };
      const close = (isLeaving: boolean) => {
        const running = run(isLeaving);
        closeToast(key);
        return running;
      };
      const leave = () => void close(true);
      const forget = beforeLeaving(() => close(false));
      change(ids, true);
      const key = toast(t.deleted(ids.length), { label: t.undo, run: undo }, () => void run(false));
      addEventListener("pagehide", leave);
    },
    [clients, problems, t],
  );
}
