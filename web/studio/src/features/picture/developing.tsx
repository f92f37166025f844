// A picture in the tray: its place in the queue, its stage, what can be seen of it already, and how it ended without one.
import type { CSSProperties } from "react";
import { ProgressBar } from "react-aria-components/ProgressBar";
import { useText } from "../../app/locale.tsx";
import { Icon } from "../../components/icons.tsx";
import { picture as texts } from "../../locales/picture.ts";
import { isCharged, useSecondsLeft, type Shown } from "./state.ts";
import style from "./developing.module.css";

/** Width to height, before there is a result. */
export function ratioOf({ aspectRatio, original }: Shown): number {
  const [width, height] = (aspectRatio ?? "").split(":").map(Number);
  if (width && height) return width / height;
  return original?.width && original.height ? original.width / original.height : 1;
}

export function Developing({ picture }: { readonly picture: Shown }) {
  const t = useText(texts);
  const left = useSecondsLeft(picture);
  const { previewUrl, original, style: made, progress } = picture;
  const seen = previewUrl ?? original?.thumbnailUrl ?? made?.previewUrl ?? null;
  const look = {
    aspectRatio: ratioOf(picture),
    "--ratio": ratioOf(picture),
    "--blur": previewUrl ? "0px" : "14px",
    "--seen": previewUrl ? 0.92 : 0.16 + 0.3 * progress,
  } as CSSProperties;
  return (
    <div className={style["tray"]} style={look} data-status={picture.status}>
      {seen && <img src={seen} alt="" />}
      <div className={style["panel"]}>
        <p className={style["message"]}>{picture.message}</p>
        <ProgressBar value={progress * 100} aria-label={t.developing}>
          <span className={style["track"]} style={{ display: "block" }}>
            <span className={style["fill"]} style={{ width: `${Math.max(3, progress * 100)}%` }} />
          </span>
        </ProgressBar>
        <p className={style["facts"]}>
          {picture.queuePosition !== null && <span>{t.ahead(picture.queuePosition)}</span>}
          {left !== null && <span>{t.about(left)}</span>}
        </p>
      </div>
    </div>
  );
}

/** How it ended without a picture, and what that cost. */
export function Ended({ picture }: { readonly picture: Shown }) {
  const t = useText(texts);
  const isFailed = picture.status === "FAILED";
  return (
    <div className={`${style["tray"]} ${style["ended"]}`} style={{ minHeight: "20rem" }} data-status={picture.status}>
      <div className={style["reason"]}>
        <Icon name={isFailed ? "warning" : "stop"} />
        <h2>{isFailed ? t.failed : t.canceled}</h2>
        <p>{isFailed ? picture.errorMessage : t.canceledText}</p>
        <p className={style["refund"]}>{refundOf(picture, t)}</p>
      </div>
    </div>
  );
}

function refundOf(picture: Shown, t: typeof texts.en): string {
  if (!isCharged(picture)) return "";
  if (!picture.refunded) return t.notRefunded;
  return picture.paidBy === "PASS" ? t.passReturned : t.refunded(picture.cost);
}
