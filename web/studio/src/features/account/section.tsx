// Parts of the account's views: a section with its heading, a row of a list, a secret that is shown once, and a question.
import { useId, useRef, type ReactNode } from "react";
import { useLocale, useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { copy } from "../../components/clipboard.ts";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem } from "../../components/field.tsx";
import { toast } from "../../components/toast.tsx";
import { account } from "../../locales/account.ts";
import { common } from "../../locales/common.ts";
import style from "./account.module.css";

type SectionProps = { readonly title: string; readonly text?: ReactNode; readonly children?: ReactNode };

export function Section({ title, text, children }: SectionProps) {
  const id = useId();
  return (
    <section className={style["section"]} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {text && <p className={style["text"]}>{text}</p>}
      {children}
    </section>
  );
}

type RowProps = {
  readonly title: ReactNode;
  readonly marks?: ReactNode;
  readonly facts: readonly (string | null | undefined | false)[];
  readonly children?: ReactNode;
};

/** One entry of a list: what it is, facts about it, and what can be done with it. */
export function Row({ title, marks, facts, children }: RowProps) {
  return (
    <li className={style["row"]}>
      <div className={style["what"]}>
        <p className={style["name"]}>
          <span>{title}</span>
          {marks}
        </p>
        <p className={style["facts"]}>{facts.filter(Boolean).join(" · ")}</p>
      </div>
      {children && <div className={style["acts"]}>{children}</div>}
    </li>
  );
}

export function Rows({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <ul className={style["rows"]} aria-label={label}>
      {children}
    </ul>
  );
}

type SecretProps = { readonly label: string; readonly text: string; readonly file?: string };

/** Something that is shown once, to be copied; `file`: the name of the file to keep it in. */
export function Secret({ label, text, file }: SecretProps) {
  const t = useText(account);
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
    link.download = file ?? "";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href));
  };
  return (
    <div className={fieldStyle["field"]}>
      <label className={fieldStyle["label"]} htmlFor={id}>
        {label}
      </label>
      <textarea
        id={id}
        ref={field}
        readOnly
        autoFocus // it takes the place of the form that had the focus
        rows={text.split("\n").length}
        className={style["secret"]}
        value={text}
        onFocus={(event) => event.target.select()}
      />
      <div className={style["acts"]}>
        <Button look="primary" icon="copy" onPress={() => void copy(text, field.current).then(() => toast(t.copied))}>
          {t.copy}
        </Button>
        {file && (
          <Button icon="download" onPress={save}>
            {t.saveFile}
          </Button>
        )}
      </div>
    </div>
  );
}

type QuestionProps = {
  readonly title: string;
  readonly text: string;
  readonly act: string;
  readonly isBusy: boolean;
  readonly problem: string | null;
  readonly onAct: () => void;
  readonly onClose: () => void;
};

/** Ask before something that cannot be undone. */
export function Question({ title, text, act, isBusy, problem, onAct, onClose }: QuestionProps) {
  const c = useText(common);
  return (
    <Dialog isOpen role="alertdialog" title={title} onClose={onClose}>
      <p>{text}</p>
      {problem && <Problem>{problem}</Problem>}
      <div className={style["acts"]}>
        <Button look="primary" busy={isBusy} onPress={onAct}>
          {act}
        </Button>
        <Button autoFocus onPress={onClose}>
          {c.cancel}
        </Button>
      </div>
    </Dialog>
  );
}

/** Return a function that writes a time in the visitor's language; `withTime`: not only its day. */
export function useWhen(): (time: string, withTime?: boolean) => string {
  const { locale } = useLocale();
  return (time, withTime = true) =>
    new Intl.DateTimeFormat(locale, { dateStyle: "medium", ...(withTime && { timeStyle: "short" }) }).format(new Date(time));
}
