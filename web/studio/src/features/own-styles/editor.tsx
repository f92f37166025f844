// The form of an own style: its name, its prompt with variables, and what it needs; each problem is at its field.
import { useEffect, useRef, useState, type FormEvent } from "react";
import { useQuery } from "urql";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Chips, Picture } from "../../components/card.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { QuoteDocument, type OwnStylePartsFragment, type ReferenceImage, type StyleInput } from "../../gql/graphql.ts";
import { ownStyles } from "../../locales/own-styles.ts";
import { inputOf, newVariable, type StyleForm } from "./form.ts";
import { Variables } from "./variables.tsx";
import style from "./editor.module.css";

type Props = {
  readonly known: OwnStylePartsFragment | null;
  readonly first: StyleForm;
  /** Whether the product takes photos where there is no style. */
  readonly takesPhotos: boolean;
  readonly promptMaxLength: number;
  readonly onSave: (input: StyleInput) => Promise<void>;
  readonly children: React.ReactNode;
};

const PHOTOS: readonly ReferenceImage[] = ["UNUSED", "OPTIONAL", "REQUIRED"];

export function Editor({ known, first, takesPhotos, promptMaxLength, onSave, children }: Props) {
  const t = useText(ownStyles);
  const problems = useText(problemTexts);
  const [form, setForm] = useState(first);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const element = useRef<HTMLFormElement>(null);
  const change = (part: Partial<StyleForm>) => setForm((before) => ({ ...before, ...part }));
  const at = (field: string) =>
    problem instanceof InputRefusedError ? (problem.of(field) ?? problem.of(`input.${field}`)) : null;
  const isAtField = problem instanceof InputRefusedError && problem.problems.every(({ field }) => field?.length);
  const names = form.variables.map(({ name }) => name.trim()).filter(Boolean);

  useEffect(() => {
    if (problem !== null) element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(); // the first of them
  }, [problem]);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await onSave(inputOf(form));
    } catch (refusal) {
      setProblem(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form ref={element} className={style["page"]} onSubmit={(event) => void submit(event)} noValidate>
      <div className={style["fields"]}>
        <TextField
          label={t.title} value={form.title} onChange={(title) => change({ title })} placeholder={t.titleHint} error={at("title")}
          isRequired maxLength={100} validationBehavior="aria"
        />
        <Prompt
          value={form.prompt} names={names} maxLength={promptMaxLength} error={at("prompt")} onChange={(prompt) => change({ prompt })}
        />
        <Variables
          variables={form.variables} at={at} onChange={(variables) => change({ variables })}
          onAdd={() => change({ variables: [...form.variables, newVariable()] })}
        />
        {takesPhotos && (
          <div className={style["group"]}>
            <span className={style["label"]} aria-hidden="true">
              {t.photo}
            </span>
            <Chips
              label={t.photo} value={form.photo} onChange={(photo) => change({ photo })}
              choices={PHOTOS.map((id) => ({ id, label: t.photos[id] }))}
            />
          </div>
        )}
        <TextField
          label={t.description} hint={t.optional} value={form.description} onChange={(description) => change({ description })}
          error={at("description")} maxLength={500} rows={2} validationBehavior="aria"
        />
        <TextField
          label={t.category} hint={t.optional} value={form.category} onChange={(category) => change({ category })}
          error={at("category")} maxLength={50} validationBehavior="aria"
        />
        {problem !== null && !isAtField && <Problem>{messageOf(problem, problems)}</Problem>}
        <div className={style["acts"]}>
          <Button type="submit" look="primary" size="large" icon={known ? "check" : "wand"} busy={isBusy}>
            {known ? t.save : t.saveNew}
          </Button>
          {known && children}
        </div>
      </div>
      <aside className={style["aside"]} aria-label={t.preview}>
        <Preview form={form} picture={known?.previewUrl ?? null} />
        {!known && children}
      </aside>
    </form>
  );
}

type PromptProps = {
  readonly value: string;
  readonly names: readonly string[];
  readonly maxLength: number;
  readonly error: string | null;
  readonly onChange: (value: string) => void;
};

/** The template, with a button for each of what it may have in braces. */
function Prompt({ value, names, maxLength, error, onChange }: PromptProps) {
  const t = useText(ownStyles);
  const place = useRef<HTMLDivElement>(null);
  const insert = (name: string) => {
    const field = place.current?.querySelector("textarea");
    const [start, end] = [field?.selectionStart ?? value.length, field?.selectionEnd ?? value.length];
    onChange(`${value.slice(0, start)}{${name}}${value.slice(end)}`);
    requestAnimationFrame(() => {
      field?.focus();
      field?.setSelectionRange(start + name.length + 2, start + name.length + 2);
    });
  };
  return (
    <div ref={place} className={style["prompt"]}>
      <TextField
        label={t.prompt} rows={5} value={value} onChange={onChange} placeholder={t.promptHint} hint={t.promptHelp} error={error}
        isRequired maxLength={maxLength} validationBehavior="aria"
      />
      <div className={style["insert"]} role="toolbar" aria-label={t.insert}>
        {[...names, "instruction", "size"].map((name) => (
          <Button
            key={name} size="small" icon="plus" onPress={() => insert(name)}
            aria-label={name === "instruction" ? t.instruction : name === "size" ? t.size : `{${name}}`}
          >
            {`{${name}}`}
          </Button>
        ))}
      </div>
    </div>
  );
}

/** The style as the wall shows it, with its price. */
function Preview({ form, picture }: { readonly form: StyleForm; readonly picture: string | null }) {
  const t = useText(ownStyles);
  const [{ data }] = useQuery({ query: QuoteDocument, variables: { input: {} } });
  const quote = data?.quote;
  return (
    <div className={style["card"]}>
      <div className={style["frame"]}>
        {picture ? <Picture src={picture} alt="" eager className={style["image"] ?? ""} /> : <Icon name="sparkle" />}
      </div>
      <h2 className={style["title"]}>{form.title.trim() || t.untitled}</h2>
      {form.description.trim() && <p className={style["text"]}>{form.description}</p>}
      {quote && (
        <p className={style["price"]}>
          <Icon name="coin" />
          <span className="visually-hidden">{t.price}</span>
          {{ CREDITS: t.cost(quote.cost), PASS: t.byPass, PLAN: t.byPlan }[quote.paidBy]}
        </p>
      )}
    </div>
  );
}
