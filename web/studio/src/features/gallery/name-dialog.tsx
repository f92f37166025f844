// The name of an album or of a tag, new or another one.
import { useState, type FormEvent } from "react";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem, TextField } from "../../components/field.tsx";
import { albums as texts } from "../../locales/albums.ts";

type Props = {
  readonly title: string;
  readonly action: string;
  readonly hint?: string;
  readonly initial?: string;
  readonly maxLength?: number;
  readonly onSubmit: (name: string) => Promise<void>;
  readonly onClose: () => void;
};

export function NameDialog({ title, action, hint, initial = "", maxLength = 60, onSubmit, onClose }: Props) {
  const t = useText(texts);
  const problems = useText(problemTexts);
  const [name, setName] = useState(initial);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    onSubmit(name.trim()).then(onClose, (refusal: unknown) => {
      setProblem(refusal);
      setBusy(false);
    });
  };
  const nameProblem = problem instanceof InputRefusedError ? problem.of("name") : null;
  return (
    <Dialog isOpen title={title} onClose={onClose}>
      {problem !== null && !nameProblem && <Problem>{messageOf(problem, problems)}</Problem>}
      <form className={fieldStyle["form"]} onSubmit={submit}>
        <TextField
          autoFocus label={t.name} hint={hint} value={name} onChange={setName} maxLength={maxLength} error={nameProblem} validationBehavior="aria"
        />
        <Button type="submit" look="primary" size="large" full busy={isBusy} isDisabled={!name.trim()}>
          {action}
        </Button>
      </form>
    </Dialog>
  );
}
