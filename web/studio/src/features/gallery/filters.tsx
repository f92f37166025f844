// What the shown pictures have in common beside words and kind: tags, a style, days; each removed by its chip.
import { Suspense, useState } from "react";
import { lazily } from "../../app/lazily.ts";
import { useLocale, useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { gallery } from "../../locales/gallery.ts";
import type { Tag } from "./lists.ts";
import type { Choice } from "./query.ts";
import { useStyles } from "./styles.ts";
import { TagChip } from "./tag-chip.tsx";
import { TagFilter } from "./tag-filter.tsx";

const FilterDialog = lazily(() => import("./filter-dialog.tsx"));

type Props = { readonly choice: Choice; readonly tags: readonly Tag[]; readonly onChange: (change: Partial<Choice>) => void };

export function Filters({ choice, tags, onChange }: Props) {
  const t = useText(gallery);
  const [isOpen, setOpen] = useState(false);
  const { style, from, to } = choice;
  return (
    <>
      <TagFilter tags={tags} chosen={choice.tags} onChange={(ids) => onChange({ tags: ids })} />
      {style && <StyleChip id={style} onRemove={() => onChange({ style: "" })} />}
      {(from || to) && <DaysChip from={from} to={to} onRemove={() => onChange({ from: "", to: "" })} />}
      <Button size="small" icon="filter" onPress={() => setOpen(true)}>
        {t.filter}
      </Button>
      <Suspense>{isOpen && <FilterDialog choice={choice} onChange={onChange} onClose={() => setOpen(false)} />}</Suspense>
    </>
  );
}

function StyleChip({ id, onRemove }: { readonly id: string; readonly onRemove: () => void }) {
  const t = useText(gallery);
  const name = useStyles().find((one) => one.id === id)?.title ?? t.style; // one that was deleted has no title
  return <TagChip icon="sparkle" name={name} label={t.removeStyle(name)} onRemove={onRemove} />;
}

type DaysProps = Pick<Choice, "from" | "to"> & { readonly onRemove: () => void };

function DaysChip({ from, to, onRemove }: DaysProps) {
  const t = useText(gallery);
  const { locale } = useLocale();
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  const said = (day: string) => format.format(new Date(`${day}T12:00`));
  const name = from && to ? (from === to ? said(from) : t.between(said(from), said(to))) : from ? t.since(said(from)) : t.until(said(to));
  return <TagChip icon="clock" name={name} label={t.removeDays} onRemove={onRemove} />;
}
