// The dialog of every act of an admin: what it does in plain words, its fields, and the reason, which the audit log keeps.
import { useState, type FormEvent, type ReactNode } from "react";
import { InputRefusedError } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem, TextField } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { admin } from "../../locales/admin.ts";
import { useDesk } from "./desk.tsx";
import style from "./admin.module.css";

/** `key`: the same for every attempt of one dialog, so that a repetition does nothing twice. */
export type Given = { readonly reason: string; readonly key: string };

type Props = {
  readonly title: string;
  /** Whom or what it concerns. */
  readonly subject?: ReactNode;
  /** What it will do, and what it will not. */
  readonly text: ReactNode;
  readonly confirm: string;
  /** What is said when it is done. */
  readonly done: string;
  readonly isDanger?: boolean;
  readonly isReady?: boolean;
  /** Where the reason is shown to others; by default in the audit log alone. */
  readonly reasonHint?: string;
  /** There is nothing yet to give one for. */
  readonly hasNoReason?: boolean;
  readonly onAct: (given: Given) => Promise<unknown>;
  readonly onClose: () => void;
  readonly children?: ReactNode;
};

const MAX_REASON = 500; // characters

export function ActDialog(props: Props) {
  const { title, subject, text, confirm, done, isDanger = false, isReady = true, hasNoReason = false, onAct, onClose } = props;
  const t = useText(admin);
  const problems = useText(problemTexts);
  const desk = useDesk();
  const [key] = useState(newKey);
  const [reason, setReason] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const act = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await desk.attempt(() => onAct({ reason: reason.trim(), key }));
      toast(done);
      desk.changed();
      onClose();
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  const reasonProblem = problem instanceof InputRefusedError ? problem.of("reason") ?? problem.of("input.reason") : null;
  return (
    <Dialog isOpen title={title} width="30rem" onClose={onClose} role={isDanger ? "alertdialog" : "dialog"}>
      <form className={fieldStyle["form"]} onSubmit={(event) => void act(event)}>
        {subject && <p className={style["subject"]}>{subject}</p>}
        <div className={style["consequence"]}>{text}</div>
        {props.children}
        {!hasNoReason && (
          <TextField
            label={t.reason} hint={props.reasonHint ?? t.reasonHint} rows={3} value={reason} onChange={setReason} isRequired
            maxLength={MAX_REASON} error={reasonProblem}
          />
        )}
        {problem !== null && !reasonProblem && <Problem>{messageOf(problem, problems)}</Problem>}
        <div className={style["foot"]}>
          <Button onPress={onClose}>{t.cancel}</Button>
          <Button type="submit" look={isDanger ? "destroy" : "primary"} busy={isBusy} isDisabled={!isReady}>
            {confirm}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
