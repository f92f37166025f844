// The import of a catalogue: a file, a dry run with its report, and then the import with its reason.
import { useRef, useState, type ChangeEvent } from "react";
import { accepted, InputRefusedError } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Notice, Problem } from "../../components/field.tsx";
import { ImportCatalogueDocument } from "../../gql/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";
import { ActDialog, type Given } from "./act-dialog.tsx";
import { useDesk } from "./desk.tsx";
import { useRereadCatalogue } from "./read.ts";
import style from "./admin.module.css";

type Catalogue = Record<string, unknown>;
type Counts = { readonly created: number; readonly updated: number; readonly unchanged: number };

export function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const { import: t } = useText(adminActs);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const { attempt } = useDesk();
  const rereadCatalogue = useRereadCatalogue();
  const chooser = useRef<HTMLInputElement>(null);
  const [name, setName] = useState("");
  const [catalogue, setCatalogue] = useState<Catalogue | null>(null);
  const [counts, setCounts] = useState<Counts | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const send = (given: Catalogue, dryRun: boolean, reason: string | null) =>
    attempt(async () => accepted((await clients.darkroom.run(ImportCatalogueDocument, { catalogue: given, dryRun, reason })).adminImportCatalogue));
  const choose = async ({ target }: ChangeEvent<HTMLInputElement>) => {
    const file = target.files?.[0];
    target.value = ""; // the same file again, after it was mended
    if (!file) return;
    setName(file.name);
    setCatalogue(null);
    setCounts(null);
    setProblem(null);
    setBusy(true);
    try {
      const given = parse(await file.text());
      setCounts(await send(given, true, null));
      setCatalogue(given);
    } catch (refusal) {
      setProblem(refusal);
    } finally {
      setBusy(false);
    }
  };
  const hasChanges = counts !== null && counts.created + counts.updated > 0;
  return (
    <ActDialog
      title={t.title} text={<p>{t.text}</p>} confirm={t.do} done={t.done} isReady={hasChanges} hasNoReason={!hasChanges}
      onAct={async ({ reason }: Given) => {
        if (catalogue) await send(catalogue, false, reason);
        rereadCatalogue();
      }}
      onClose={onClose}
    >
      <input ref={chooser} type="file" accept=".json,application/json" hidden onChange={(event) => void choose(event)} />
      <div className={style["acts"]}>
        <Button icon="upload" busy={isBusy} onPress={() => chooser.current?.click()}>
          {isBusy ? t.check : t.file}
        </Button>
        {name && <span className={style["id"]}>{name}</span>}
      </div>
      {counts && (
        <Notice>
          {t.would}: {t.report(counts.created, counts.updated, counts.unchanged)}
          {!hasChanges && ` ${t.nothing}`}
        </Notice>
      )}
      {problem instanceof InputRefusedError ? (
        <>
          <Problem>{t.problems(problem.problems.length)}</Problem>
          <ul className={style["problems"]} tabIndex={0} aria-label={t.problems(problem.problems.length)}>
            {problem.problems.map(({ message, field }, index) => (
              <li key={index}>
                <code>{field?.join(" › ")}</code> {message}
              </li>
            ))}
          </ul>
        </>
      ) : (
        problem !== null && <Problem>{problem instanceof SyntaxError ? t.noJson : messageOf(problem, problems)}</Problem>
      )}
    </ActDialog>
  );
}

function parse(text: string): Catalogue {
  const found: unknown = JSON.parse(text);
  if (typeof found !== "object" || found === null || Array.isArray(found)) throw new SyntaxError("no object");
  return found as Catalogue;
}
