// Before and after: a line that is dragged, or moved by the arrow keys, between the photo and the picture.
import { useEffect, useState, type CSSProperties } from "react";
import { useText } from "../../app/locale.tsx";
import { Icon } from "../../components/icons.tsx";
import { picture } from "../../locales/picture.ts";
import style from "./compare.module.css";

type Props = {
  readonly before: string;
  readonly after: string;
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  /** Begin with the photo alone, and uncover the picture. */
  readonly isFresh: boolean;
};

const HALF = 50;

export function Compare({ before, after, width, height, alt, isFresh }: Props) {
  const t = useText(picture);
  const [isMoving, setMoving] = useState(() => isFresh && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  const [at, setAt] = useState(isMoving ? 100 : HALF);
  useEffect(() => {
    if (!isMoving) return;
    const begin = setTimeout(() => setAt(HALF), 400);
    const end = setTimeout(() => setMoving(false), 1900);
    return () => {
      clearTimeout(begin);
      clearTimeout(end);
    };
  }, [isMoving]);
  return (
    <div className={`${style["compare"]} ${isMoving ? style["moving"] : ""}`} style={{ "--at": `${at}%`, "--n": at } as CSSProperties}>
      <img className={style["result"]} src={after} alt={alt} width={width} height={height} />
      <img className={style["original"]} src={before} alt={t.before} />
      <span className={style["line"]} />
      <span className={style["knob"]} aria-hidden="true">
        <Icon name="compare" />
      </span>
      <span className={`${style["tag"]} ${style["before"]}`} aria-hidden="true">
        {t.before}
      </span>
      <span className={`${style["tag"]} ${style["afterwards"]}`} aria-hidden="true">
        {t.after}
      </span>
      <input
        className={style["range"]} type="range" min={0} max={100} step={1} value={at} aria-label={t.compare}
        aria-valuetext={`${t.before} ${at} %`} onChange={(event) => (setMoving(false), setAt(Number(event.target.value)))}
      />
    </div>
  );
}
