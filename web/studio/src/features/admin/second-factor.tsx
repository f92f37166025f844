// The dialog that asks an admin for the second factor, or says where to set one up.
import { useEffect, useState, type FormEvent } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button, ButtonLink } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem, TextField } from "../../components/field.tsx";
import { DeskFactorDocument, ProveFactorDocument } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

export default function SecondFactorDialog({ onAnswer }: { readonly onAnswer: (isProved: boolean) => void }) {
  const t = useText(admin);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const [hasFactor, setHasFactor] = useState<boolean | null>(null);
  const [code, setCode] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  useEffect(() => {
    let isHere = true;
    clients.darkroom.run(DeskFactorDocument, {}).then(
      ({ viewer }) => isHere && setHasFactor(Boolean(viewer?.secondFactor)),
      (found: unknown) => isHere && setProblem(found),
    );
    return () => void (isHere = false);
  }, [clients]);

  const prove = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      accepted((await clients.darkroom.run(ProveFactorDocument, { code: code.trim() })).verifySecondFactor);
      onAnswer(true);
    } catch (refusal) {
      setProblem(refusal);
      setBusy(false);
    }
  };
  return (
    <Dialog isOpen title={t.factor.title} onClose={() => onAnswer(false)}>
      {hasFactor === false ? (
        <>
          <p className={fieldStyle["hint"]}>{t.factor.missing}</p>
          <ButtonLink look="primary" to="/account/security">
            {t.factor.toAccount}
          </ButtonLink>
        </>
      ) : (
        <form className={fieldStyle["form"]} onSubmit={(event) => void prove(event)}>
          <p className={fieldStyle["hint"]}>{t.factor.text}</p>
          <TextField
            autoFocus label={t.factor.code} hint={t.factor.hint} value={code} onChange={setCode} isRequired
            autoComplete="one-time-code" inputMode="text"
          />
          {problem !== null && <Problem>{messageOf(problem, problems)}</Problem>}
          <Button type="submit" look="primary" size="large" full busy={isBusy}>
            {t.factor.prove}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
