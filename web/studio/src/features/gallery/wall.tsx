// The pictures of the gallery as a grid of any length, of which what is seen is in the page.
import { useEffect, useRef, useSyncExternalStore } from "react";
import { GridList, GridListLoadMoreItem } from "react-aria-components/GridList";
import type { Selection } from "react-aria-components";
import { GridLayout, Size, Virtualizer } from "react-aria-components/Virtualizer";
import { useText } from "../../app/locale.tsx";
import { suspectServer } from "../../app/reachability.ts";
import { Spinner } from "../../components/button.tsx";
import { gallery } from "../../locales/gallery.ts";
import type { List } from "./query.ts";
import { Tile } from "./tile.tsx";

const narrow = matchMedia("(max-width: 40rem)");
const onNarrow = (listener: () => void) => {
  narrow.addEventListener("change", listener);
  return () => narrow.removeEventListener("change", listener);
};
const NARROW = { minItemSize: new Size(140, 140), minSpace: new Size(8, 8), preserveAspectRatio: true, maxHorizontalSpace: 8 };
const WIDE = { minItemSize: new Size(216, 216), minSpace: new Size(14, 14), preserveAspectRatio: true, maxHorizontalSpace: 14 };

const PAUSE = 3000; // milliseconds before a page that could not be loaded is asked for again; doubled each time
const LONGEST_PAUSE = 30_000;

/**
 * Load the next page when the end of the list is at most one more screen away. React Aria's own sentinel takes the whole document
 * for the window where the page itself scrolls, and loads one page after the other.
 */
function useNextPage({ pictures, isLoaded, hasFailed, loadMore }: List) {
  const end = useRef<HTMLDivElement>(null);
  const tries = useRef(0);
  useEffect(() => {
    if (!isLoaded) return;
    let isOver = false;
    const observer = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && loadMore(), { rootMargin: "0px 0px 100%" });
    const observe = () => !isOver && end.current && observer.observe(end.current);
    const timer = hasFailed
      ? setTimeout(() => void suspectServer().then(observe), Math.min(PAUSE * 2 ** tries.current++, LONGEST_PAUSE))
      : setTimeout(observe);
    if (!hasFailed) tries.current = 0;
    return () => {
      isOver = true;
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [pictures.length, isLoaded, hasFailed, loadMore]);
  return end;
}

type Props = {
  readonly list: List;
  readonly isSelecting: boolean;
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (selected: Selection) => void;
};

export function Wall({ list, isSelecting, selected, onSelect }: Props) {
  const t = useText(gallery);
  const isNarrow = useSyncExternalStore(onNarrow, () => narrow.matches);
  const end = useNextPage(list);
  return (
    <>
      <Virtualizer layout={GridLayout} layoutOptions={isNarrow ? NARROW : WIDE}>
        <GridList
          aria-label={t.title} layout="grid" style={{ display: "block", outline: "none", margin: isNarrow ? "0 -8px" : "0 -12px" }}
          selectionMode={isSelecting ? "multiple" : "none"} selectionBehavior="toggle" selectedKeys={selected} onSelectionChange={onSelect}
          dependencies={[isSelecting]}
        >
          {list.pictures.map((one) => (
            <Tile key={one.id} picture={one} isSelecting={isSelecting} />
          ))}
          <GridListLoadMoreItem isLoading={list.isLoadingMore}>
            <Spinner />
          </GridListLoadMoreItem>
        </GridList>
      </Virtualizer>
      <div ref={end} />
    </>
  );
}
