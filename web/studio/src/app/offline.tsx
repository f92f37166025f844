// A note while there is no connection, the server is away, or the session cannot be read.
import { useSyncExternalStore } from "react";
import { common } from "../locales/common.ts";
import style from "./app.module.css";
import { useText } from "./locale.tsx";
import { messageOf, problemTexts } from "./problem.ts";
import { onReachability, serverIsAway } from "./reachability.ts";
import { useSession } from "./session.tsx";

function subscribe(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

function useOnline(): boolean {
  return useSyncExternalStore(subscribe, () => navigator.onLine);
}

export function OfflineNote() {
  const t = useText(common);
  const problems = useText(problemTexts);
  const { problem } = useSession();
  const online = useOnline();
  const isAway = useSyncExternalStore(onReachability, serverIsAway);
  const note = !online ? t.offline : isAway ? t.away : problem !== null ? messageOf(problem, problems) : null;
  return <div role="status">{note && <p className={style["note"]}>{note}</p>}</div>;
}
