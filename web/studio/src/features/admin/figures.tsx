// Numbers at a glance, and the period that they are of.
import { useText } from "../../app/locale.tsx";
import { admin } from "../../locales/admin.ts";
import style from "./admin.module.css";

const HOUR = 3_600_000; // milliseconds
export const UNITS = { HOUR, DAY: 24 * HOUR } as const;

/** The start of a period of `days` that ends now, from a whole hour or day on, so that the first column is not cut. */
export function startOf(now: number, days: number, interval: keyof typeof UNITS): string {
  const unit = UNITS[interval];
  return new Date(Math.floor(now / unit) * unit - days * UNITS.DAY + unit).toISOString();
}

/** `note`: what the number counts, where its name alone could be taken for something else. */
export type Tile = { readonly name: string; readonly value: string; readonly note?: string };

type Props = { readonly label?: string; readonly isTitled?: boolean; readonly tiles: readonly Tile[] };

export function Tiles({ label, isTitled = false, tiles }: Props) {
  const { figures } = useText(admin);
  return (
    <section aria-label={label ?? figures.summary}>
      {isTitled && <p className={style["caption"]}>{label}</p>}
      <dl className={style["tiles"]}>
        {tiles.map(({ name, value, note }) => (
          <div key={name} className={style["tile"]}>
            <dt>
              {name}
              {note && <small>{note}</small>}
            </dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

type Outcomes = { readonly generations: number; readonly completed: number; readonly failed: number; readonly canceled: number };

/** What became of the pictures that were ordered, so that the parts are the whole. */
export function useOutcomes(): (found: Outcomes) => string {
  const { figures } = useText(admin);
  return ({ generations, completed, failed, canceled }) =>
    figures.outcomes({ completed, failed, canceled, running: generations - completed - failed - canceled });
}
