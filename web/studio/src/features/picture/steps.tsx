// The pictures that this one was made from, and those that were made from it, in order.
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { Picture } from "../../components/card.tsx";
import { picture as texts } from "../../locales/picture.ts";
import type { Shown } from "./state.ts";
import style from "./view.module.css";

export type Relatives = { readonly parents: readonly Shown[]; readonly children: readonly Shown[] };

export function Steps({ picture, relatives: { parents, children } }: { readonly picture: Shown; readonly relatives: Relatives }) {
  const t = useText(texts);
  if (!parents.length && !children.length) return null;
  const all = [...parents, picture, ...children];
  return (
    <section className={style["steps"]}>
      <h2>{t.steps}</h2>
      <ol className={style["strip"]}>
        {all.map((one, index) => (
          <li key={one.id}>
            <Link href={`/pictures/${one.id}`} aria-current={one.id === picture.id ? "true" : undefined} title={one.prompt ?? ""}>
              <Picture
                className={style["thumb"] ?? ""} src={one.result?.thumbnailUrl ?? one.previewUrl}
                placeholder={one.result?.placeholder ?? null} alt={one.prompt ?? ""}
              />
              {t.step(index + 1)}
            </Link>
          </li>
        ))}
      </ol>
    </section>
  );
}
