// What is said after signing in: that it worked, and what of the guest came along.
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { toast } from "../../components/toast.tsx";
import { auth } from "../../locales/auth.ts";
import { common } from "../../locales/common.ts";
import type { Taken } from "./guest.ts";

const LONG = 60_000; // milliseconds: pictures that are being made may end in between

/** `done`: what is said where there was no guest. */
export function useWelcome(): (taken: Taken, done?: string) => void {
  const t = useText(auth);
  const c = useText(common);
  const problems = useText(problemTexts);
  const { restart } = useSession();
  const say = (taken: Taken, done: string = t.done): void => {
    if (taken.kind !== "refused") {
      const isAny = taken.kind === "taken" && (taken.pictures > 0 || taken.credits > 0);
      toast(isAny ? `${done} ${t.brought(taken.pictures, taken.credits)}` : done);
      return;
    }
    const again = () =>
      void taken.again().then((next) => {
        if (next.kind === "taken") restart();
        say(next, done);
      });
    toast(`${done} ${t.leftBehind} ${messageOf(taken.problem, problems)}`, { label: c.retry, run: again }, undefined, LONG);
  };
  return say;
}
