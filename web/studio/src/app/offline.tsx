// A note while there is no connection.
import { useSyncExternalStore } from "react";
import { common } from "../locales/common.ts";
import style from "./app.module.css";
import { useText } from "./locale.tsx";

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
  const online = useOnline();
  return <div role="status">{!online && <p className={style["note"]}>{t.offline}</p>}</div>;
}
