// Which style the shown pictures have, and from which days they are.
import { useState, type FormEvent } from "react";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import { gallery } from "../../locales/gallery.ts";
import type { Choice } from "./query.ts";
import { useStyles } from "./styles.ts";
import style from "./albums.module.css";

const ANY = "any";

type Filter = Pick<Choice, "style" | "from" | "to">;
type Props = { readonly choice: Filter; readonly onChange: (filter: Filter) => void; readonly onClose: () => void };

export default function FilterDialog({ choice, onChange, onClose }: Props) {
  const t = useText(gallery);
  const styles = useStyles();
  const [wanted, setWanted] = useState<Filter>(choice);
  const change = (part: Partial<Filter>) => setWanted((before) => ({ ...before, ...part }));
  const isReversed = Boolean(wanted.from && wanted.to && wanted.to < wanted.from);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onChange(wanted);
    onClose();
  };
  return (
    <Dialog isOpen title={t.filterTitle} width="30rem" onClose={onClose}>
      <form className={fieldStyle["form"]} onSubmit={submit}>
        <Select
          label={t.style} value={wanted.style || ANY} onChange={(id) => change({ style: id === ANY ? "" : id })}
          choices={[{ id: ANY, label: t.anyStyle }, ...styles.map(({ id, title, group }) => ({ id, label: title, note: group }))]}
        />
        <div className={style["days"]}>
          <TextField label={t.from} type="date" value={wanted.from} onChange={(from) => change({ from })} />
          <TextField
            label={t.to} type="date" value={wanted.to} onChange={(to) => change({ to })} error={isReversed ? t.reversed : null} validationBehavior="aria"
          />
        </div>
        <div className={style["acts"]}>
          <Button look="quiet" onPress={() => setWanted({ style: "", from: "", to: "" })}>
            {t.reset}
          </Button>
          <Button type="submit" look="primary" isDisabled={isReversed}>
            {t.apply}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
