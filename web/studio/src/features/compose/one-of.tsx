// One of several values with their label: chips for a few, a list for more.
import type { ReactNode } from "react";
import { Chips } from "../../components/card.tsx";
import { Select } from "../../components/select.tsx";
import style from "./options.module.css";

const CHIPS = 8; // values beside each other; more are in a list

export function Group({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className={style["group"]}>
      <span className={style["label"]} aria-hidden="true">
        {label}
      </span>
      {children}
    </div>
  );
}

type Props = {
  readonly label: string;
  readonly choices: readonly { readonly id: string; readonly label: string }[];
  /** The id of none of them: nothing is chosen yet. */
  readonly value: string;
  readonly onChange: (value: string) => void;
};

export function OneOf({ label, choices, value, onChange }: Props) {
  if (choices.length > CHIPS) return <Select label={label} value={value} onChange={onChange} choices={choices} />;
  return (
    <Group label={label}>
      <Chips label={label} value={value} onChange={onChange} choices={choices} />
    </Group>
  );
}

/** The numbers from 1 to `most`. */
export function Count({ label, most, value, onChange }: { readonly label: string; readonly most: number; readonly value: number; readonly onChange: (count: number) => void }) {
  return (
    <OneOf
      label={label} value={String(Math.min(value, most))} onChange={(id) => onChange(Number(id))}
      choices={Array.from({ length: most }, (_, index) => ({ id: String(index + 1), label: String(index + 1) }))}
    />
  );
}
