// The tags of one or of several pictures.
import { useRef, useState, type FormEvent } from "react";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem, TextField } from "../../components/field.tsx";
import { albums as texts } from "../../locales/albums.ts";
import type { Shown } from "../picture/state.ts";
import { useListActions, useLists } from "./lists.ts";
import { TagChip } from "./tag-chip.tsx";
import style from "./albums.module.css";

const MOST_OFFERED = 12; // other tags of the account, those that most pictures have

type Props = { readonly pictures: readonly Shown[]; readonly onClose: () => void };

export default function TagDialog({ pictures, onClose }: Props) {
  const t = useText(texts);
  const problems = useText(problemTexts);
  const { tags } = useLists();
  const { tag, untag } = useListActions();
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const form = useRef<HTMLFormElement>(null);
  const ids = pictures.map(({ id }) => id);
  const counts = new Map<string, { name: string; count: number }>();
  for (const one of pictures.flatMap((picture) => picture.tags)) {
    counts.set(one.id, { name: one.name, count: (counts.get(one.id)?.count ?? 0) + 1 });
  }
  const others = tags.filter(({ id }) => counts.get(id)?.count !== ids.length).toSorted((a, b) => b.count - a.count).slice(0, MOST_OFFERED);

  const run = async (name: string, act: () => Promise<void>): Promise<boolean> => {
    setBusy(name);
    setProblem(null);
    try {
      await act();
      return true;
    } catch (refusal) {
      setProblem(refusal);
      return false;
    } finally {
      setBusy(null);
    }
  };
  const name = word.trim().replace(/^#/, "");
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (name) {
      void run(name, () => tag(ids, name)).then((isDone) => {
        if (!isDone) return;
        setWord("");
        form.current?.querySelector("input")?.focus(); // an empty field disables the button
      });
    }
  };
  return (
    <Dialog isOpen title={t.tagTitle(ids.length)} onClose={onClose}>
      <div className={style["tags"]} role="group" aria-label={t.tags}>
        {counts.size === 0 && <p className={fieldStyle["hint"]}>{t.noTags}</p>}
        {[...counts].map(([id, { name, count }]) => (
          <TagChip
            key={id} name={name} note={count < ids.length ? t.some(count, ids.length) : null} label={t.removeTag(name)}
            onRemove={() => void run(name, () => untag(ids, name))}
          />
        ))}
      </div>
      {problem !== null && <Problem>{messageOf(problem, problems)}</Problem>}
      <form ref={form} className={style["add"]} onSubmit={add}>
        <TextField autoFocus label={t.addTag} value={word} onChange={setWord} maxLength={40} autoComplete="off" />
        <Button type="submit" icon="plus" busy={busy !== null && busy === name} isDisabled={!word.trim()}>
          {t.addDo}
        </Button>
      </form>
      {others.length > 0 && (
        <section className={style["offered"]}>
          <h3>{t.yours}</h3>
          <div className={style["tags"]}>
            {others.map(({ id, name }) => (
              <Button key={id} size="small" icon="plus" busy={busy === name} onPress={() => void run(name, () => tag(ids, name))}>
                {name}
              </Button>
            ))}
          </div>
        </section>
      )}
    </Dialog>
  );
}
