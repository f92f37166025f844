// The three switches of the deployment, and the check of its books.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Notice, Problem, TextField } from "../../components/field.tsx";
import { Switch } from "../../components/switch.tsx";
import { ActDialog, type Given } from "../../features/admin/act-dialog.tsx";
import style from "../../features/admin/admin.module.css";
import { useDesk } from "../../features/admin/desk.tsx";
import { useFormat } from "../../features/admin/format.ts";
import { Failed, Rows } from "../../features/admin/list.tsx";
import { Facts, Head } from "../../features/admin/parts.tsx";
import { useRead } from "../../features/admin/read.ts";
import {
  BooksDocument,
  DeskMaintenanceDocument,
  SetMaintenanceDocument,
  type BooksQuery,
  type MaintenanceInput,
  type MaintenancePartsFragment,
} from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";

type Maintenance = MaintenancePartsFragment;
/** What is about to be changed: a switch, or the cap. */
type Change = { readonly of: "readOnly" } | { readonly of: "provider"; readonly name: string } | { readonly of: "cap" };

export default function MaintenancePage() {
  const { maintenance: t } = useText(admin);
  const { data, error, reread } = useRead(DeskMaintenanceDocument, {});
  const found = data?.admin?.maintenance;
  return (
    <>
      <Head title={t.title} lead={t.lead} />
      {found ? <Switches state={found} /> : error ? <Failed error={error} onRetry={reread} /> : <Rows />}
      <Books />
    </>
  );
}

function Switches({ state }: { readonly state: Maintenance }) {
  const { maintenance: t } = useText(admin);
  const format = useFormat();
  const [change, setChange] = useState<Change | null>(null);
  const { readOnly, providers, providersOff, dailySpendCap, spentToday } = state;
  return (
    <div className={style["switches"]}>
      <div>
        <Switch isOn={readOnly} onChange={() => setChange({ of: "readOnly" })}>
          {t.readOnly}
        </Switch>
        <p className={style["quiet"]}>{t.readOnlyText}</p>
      </div>
      <div>
        {providers.map((name) => (
          <Switch key={name} isOn={!providersOff.includes(name)} onChange={() => setChange({ of: "provider", name })}>
            {t.provider(name)}
          </Switch>
        ))}
        <p className={style["quiet"]}>{t.providerText}</p>
      </div>
      <div>
        <p>
          {t.cap}: <strong>{dailySpendCap == null ? t.noCap : t.capIs(format.dollars(dailySpendCap))}</strong> ({t.today(format.dollars(spentToday))})
        </p>
        <p className={style["quiet"]}>{t.capText}</p>
        <div className={style["acts"]}>
          <Button size="small" onPress={() => setChange({ of: "cap" })}>
            {t.changeCap}
          </Button>
        </div>
      </div>
      {change?.of === "cap" && <CapDialog state={state} onClose={() => setChange(null)} />}
      {change && change.of !== "cap" && <SwitchDialog state={state} change={change} onClose={() => setChange(null)} />}
    </div>
  );
}

function useSet() {
  const { clients } = useSession();
  return async (input: MaintenanceInput, reason: string) =>
    void accepted((await clients.darkroom.run(SetMaintenanceDocument, { input, reason })).adminSetMaintenance);
}

type DialogProps = { readonly state: Maintenance; readonly onClose: () => void };

function SwitchDialog({ state, change, onClose }: DialogProps & { readonly change: Exclude<Change, { of: "cap" }> }) {
  const a = useText(adminActs);
  const set = useSet();
  const name = change.of === "provider" ? change.name : "";
  const isOff = state.providersOff.includes(name);
  const text = change.of === "readOnly" ? a.readOnly[state.readOnly ? "off" : "on"] : a.provider[isOff ? "on" : "off"];
  const input: MaintenanceInput = change.of === "readOnly" ? { readOnly: !state.readOnly } : { provider: { name, isOff: !isOff } };
  const isDanger = change.of === "readOnly" ? !state.readOnly : !isOff;
  return (
    <ActDialog
      title={typeof text.title === "string" ? text.title : text.title(name)} text={<p>{text.text}</p>} confirm={text.do} done={a.maintenanceDone}
      isDanger={isDanger} onAct={({ reason }: Given) => set(input, reason)} onClose={onClose}
    />
  );
}

function CapDialog({ state, onClose }: DialogProps) {
  const { cap, maintenanceDone } = useText(adminActs);
  const set = useSet();
  const [text, setText] = useState(state.dailySpendCap?.toString() ?? "");
  const amount = text.trim() === "" ? null : Number(text);
  return (
    <ActDialog
      title={cap.title} text={<p>{cap.text}</p>} confirm={cap.do} done={maintenanceDone} isReady={amount === null || amount >= 0}
      onAct={({ reason }: Given) => set({ dailySpendCap: amount }, reason)} onClose={onClose}
    >
      <TextField autoFocus label={cap.amount} hint={cap.amountHint} value={text} onChange={setText} inputMode="decimal" />
    </ActDialog>
  );
}

type Check = NonNullable<BooksQuery["admin"]>["ledgerCheck"];

function Books() {
  const { maintenance: t } = useText(admin);
  const problems = useText(problemTexts);
  const { run } = useDesk();
  const [isBusy, setBusy] = useState(false);
  const [found, setFound] = useState<Check | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const check = async () => {
    setBusy(true);
    setProblem(null);
    try {
      setFound((await run(BooksDocument, {})).admin?.ledgerCheck ?? null);
    } catch (refusal) {
      setProblem(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className={style["section"]}>
      <h2>{t.books}</h2>
      <p className={style["quiet"]}>{t.booksText}</p>
      <div className={style["acts"]}>
        <Button busy={isBusy} onPress={() => void check()}>
          {t.check}
        </Button>
      </div>
      {problem !== null && <Problem>{messageOf(problem, problems)}</Problem>}
      {found && <Result check={found} />}
    </section>
  );
}

function Result({ check: { usersChecked, mismatches, stuckGenerations, orphanFiles } }: { readonly check: Check }) {
  const { maintenance: t } = useText(admin);
  const wrong = [
    mismatches.length > 0 && t.mismatches(mismatches.length),
    stuckGenerations > 0 && t.stuck(stuckGenerations),
    orphanFiles > 0 && t.orphans(orphanFiles),
  ].filter((text) => text !== false);
  if (!wrong.length) return <Notice>{`${t.checked(usersChecked)}. ${t.fine}`}</Notice>;
  return (
    <>
      <Problem>{wrong.join("; ")}</Problem>
      {mismatches.length > 0 && <Facts facts={mismatches.map((id) => [id, null] as const)} />}
    </>
  );
}
