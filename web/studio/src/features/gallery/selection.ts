// The selected pictures of the gallery.
import { useCallback, useEffect, useState } from "react";
import type { Selection } from "react-aria-components";
import type { List } from "./query.ts";

export const MOST = 500; // as many as one zip may have by default; what is done goes to the server in parts of 100

export type Selected = {
  readonly ids: ReadonlySet<string>;
  /** Whether pages are being loaded, to select all. */
  readonly isLoading: boolean;
  /** Whether as many as may be are selected, and there are more. */
  readonly isCut: boolean;
  readonly set: (selection: Selection) => void;
  readonly all: () => void;
  readonly clear: () => void;
};

/** Selecting all loads the pages that are not there yet; what comes afterwards is not selected. */
export function useSelected({ pictures, total, isLoaded, loadTo }: List): Selected {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [isAll, setAll] = useState(false);
  const [isCut, setCut] = useState(false);
  const first = pictures.slice(0, MOST).map(({ id }) => id);
  useEffect(() => {
    if (!isAll || !isLoaded) return;
    setAll(false);
    setIds(new Set(first));
    setCut(total > first.length);
  }); // until all are there
  const all = useCallback(() => {
    loadTo(MOST);
    setAll(true);
  }, [loadTo]);
  const set = useCallback(
    (selection: Selection) => {
      if (selection === "all") return all();
      setAll(false);
      setCut(false);
      setIds(selection as ReadonlySet<string>);
    },
    [all],
  );
  const clear = useCallback(() => {
    loadTo(0);
    set(new Set());
  }, [loadTo, set]);
  return { ids: isAll ? new Set(first) : ids, isLoading: isAll, isCut, set, all, clear };
}
