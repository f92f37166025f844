// A note while there is no connection, or the session cannot be read.
import { useSyncExternalStore } from "react";
import { common } from "../locales/common.ts";
import style from "./app.module.css";
import { useText } from "./locale.tsx";
import { messageOf, problemTexts } from "./problem.ts";
import { useSession } from "./session.tsx";

function subscribe(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

export function useOnline(): boolean {
  return useSyncExternalStore(subscribe, () => navigator.onLine);
}

export function OfflineNote() {
  const t = useText(common);
  const problems = useText(problemTexts);
  const { problem } = useSession();
  const online = useOnline();
  const note = !online ? t.offline : problem !== null ? messageOf(problem, problems) : null;
  return <div role="status">{note && <p className={style["note"]}>{note}</p>}</div>;
}
