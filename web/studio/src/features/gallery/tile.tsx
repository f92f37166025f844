// One picture of the gallery.
import { Checkbox } from "react-aria-components/Checkbox";
import { GridListItem } from "react-aria-components/GridList";
import { useText } from "../../app/locale.tsx";
import { IconButton } from "../../components/button.tsx";
import { Picture } from "../../components/card.tsx";
import { Icon } from "../../components/icons.tsx";
import { gallery } from "../../locales/gallery.ts";
import { picture as texts } from "../../locales/picture.ts";
import { useActions } from "../picture/actions.ts";
import { isEnded, nameOf, useProgress, type Shown } from "../picture/state.ts";
import style from "./tile.module.css";

export function Tile({ picture, isSelecting }: { readonly picture: Shown; readonly isSelecting: boolean }) {
  const t = useText(texts);
  const name = nameOf(picture, t.free);
  return (
    <GridListItem
      id={picture.id} textValue={`${name}. ${picture.message}`} className={style["tile"] ?? ""}
      {...(!isSelecting && { href: `/pictures/${picture.id}` })}
    >
      <Inside picture={picture} name={name} isSelecting={isSelecting} />
    </GridListItem>
  );
}

type Props = { readonly picture: Shown; readonly name: string; readonly isSelecting: boolean };

function Inside({ picture, name, isSelecting }: Props) {
  const t = useText(texts);
  const g = useText(gallery);
  const actions = useActions(picture);
  useProgress(picture);
  const { result, previewUrl, status, isFavorite } = picture;
  const shown = result?.thumbnailUrl ?? previewUrl ?? (isEnded(picture) ? null : picture.original?.thumbnailUrl);
  return (
    <>
      <Picture className={style["image"] ?? ""} src={shown} placeholder={result?.placeholder ?? null} alt="" />
      {!isEnded(picture) && (
        <span className={`${style["state"]} ${style["busy"]}`}>
          {picture.message}
          <span className={style["track"]}>
            <span className={style["fill"]} style={{ width: `${Math.max(4, picture.progress * 100)}%` }} />
          </span>
        </span>
      )}
      {(status === "FAILED" || status === "CANCELED") && (
        <span className={style["state"]}>
          <Icon name={status === "FAILED" ? "warning" : "stop"} />
          {status === "FAILED" ? g.failed : g.canceled}
        </span>
      )}
      {status === "COMPLETED" && picture.media === "VIDEO" && (
        <span className={style["video"]}>
          <Icon name="video" />
        </span>
      )}
      <span className={style["shade"]}>{name}</span>
      {isSelecting ? (
        <Checkbox slot="selection" className={style["check"] ?? ""} aria-label={name}>
          <Icon name="check" />
        </Checkbox>
      ) : (
        status === "COMPLETED" && (
          <span className={style["heart"]} data-on={isFavorite || undefined}>
            <IconButton
              icon="heart" size="small" filled={isFavorite} label={isFavorite ? t.unfavorite : t.favorite}
              onPress={() => actions.setFavorite(!isFavorite)}
            />
          </span>
        )
      )}
    </>
  );
}
