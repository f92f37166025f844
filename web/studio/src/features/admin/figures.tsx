// Numbers at a glance.
import { useText } from "../../app/locale.tsx";
import { admin } from "../../locales/admin.ts";
import style from "./admin.module.css";

type Props = { readonly label?: string; readonly tiles: readonly (readonly [string, string])[] };

export function Tiles({ label, tiles }: Props) {
  const { figures } = useText(admin);
  return (
    <section aria-label={label ?? figures.summary}>
      <dl className={style["tiles"]}>
        {tiles.map(([name, value]) => (
          <div key={name} className={style["tile"]}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
