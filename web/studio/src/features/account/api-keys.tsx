// API keys: made, limited, revoked. The key itself is shown once.
import { useState, type FormEvent } from "react";
import { useQuery } from "urql";
import { accepted } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import { Failed } from "../../app/failed.tsx";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Badge, Skeleton } from "../../components/card.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import { toast } from "../../components/toast.tsx";
import {
  AccountKeysDocument,
  CreateKeyDocument,
  RevokeKeyDocument,
  UpdateKeyDocument,
  type ApiKeyScope,
  type KeyPartsFragment,
} from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { useAction, useMutate } from "./action.ts";
import { Question, Row, Rows, Secret, Section, useWhen } from "./section.tsx";
import style from "./account.module.css";

const SCOPES: readonly ApiKeyScope[] = ["READ", "GENERATE", "EVERYTHING"];
const DAYS = { KEEP: 0, NEVER: 0, "30": 30, "90": 90, "365": 365 };
type Expiry = keyof typeof DAYS;
type Open = { readonly kind: "new" } | { readonly kind: "edit" | "revoke"; readonly key: KeyPartsFragment };

export function ApiKeysSection() {
  const t = useText(account);
  const when = useWhen();
  const [{ data, error }, reread] = useQuery({ query: AccountKeysDocument, requestPolicy: "cache-and-network" });
  const [open, setOpen] = useState<Open | null>(null);
  const keys = data?.viewer?.apiKeys;
  const done = () => {
    setOpen(null);
    reread({ requestPolicy: "network-only" });
  };
  return (
    <Section title={t.keys} text={t.keysText}>
      {!keys && (error ? <Failed isPart reread={[reread]} /> : <Skeleton />)}
      {keys && keys.length > 0 && (
        <Rows label={t.keys}>
          {keys.map((key) => (
            <Row
              key={key.id}
              title={key.name}
              marks={
                <>
                  <Badge>{t.scopes[key.scope]}</Badge>
                  {isOver(key) && <Badge icon="warning">{t.expired}</Badge>}
                </>
              }
              facts={[
                `…${key.hint}`,
                key.lastUsedAt ? t.lastUsed(when(key.lastUsedAt)) : t.neverUsed,
                key.expiresAt && !isOver(key) && t.expiresOn(when(key.expiresAt, false)),
                t.spent(key.spentThisMonth, key.monthlyCredits),
              ]}
            >
              <Button size="small" aria-label={t.editOf(key.name)} onPress={() => setOpen({ kind: "edit", key })}>
                {t.edit}
              </Button>
              <Button size="small" look="danger" aria-label={t.revokeOf(key.name)} onPress={() => setOpen({ kind: "revoke", key })}>
                {t.revoke}
              </Button>
            </Row>
          ))}
        </Rows>
      )}
      <div className={style["acts"]}>
        <Button look="primary" icon="plus" onPress={() => setOpen({ kind: "new" })}>
          {t.newKey}
        </Button>
      </div>
      {open?.kind === "new" && <NewKeyDialog onDone={done} />}
      {open?.kind === "edit" && <EditDialog of={open.key} onDone={done} />}
      {open?.kind === "revoke" && <RevokeDialog of={open.key} onDone={done} />}
    </Section>
  );
}

function isOver(key: KeyPartsFragment): boolean {
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= Date.now();
}

function NewKeyDialog({ onDone }: { readonly onDone: () => void }) {
  const t = useText(account);
  const mutate = useMutate();
  const [key, setKey] = useState<string | null>(null);
  const [idempotencyKey] = useState(newKey); // an answer that was lost makes no second key
  return (
    <Dialog isOpen title={key ? t.keyMade : t.newKey} width="32rem" onClose={onDone}>
      {key ? (
        <>
          <p>{t.keyOnce}</p>
          <Secret label={t.key} text={key} />
          <Button full onPress={onDone}>
            {t.kept}
          </Button>
        </>
      ) : (
        <KeyForm
          act={t.makeKey}
          onSubmit={async ({ name, scope, expiresAt, monthlyCredits }) => {
            const variables = { name, scope, expiresAt: expiresAt ?? null, monthlyCredits, idempotencyKey };
            const made = accepted((await mutate(CreateKeyDocument, variables)).createApiKey);
            if (made.key) setKey(made.key);
            else onDone(); // it was made by a request whose answer was lost
          }}
        />
      )}
    </Dialog>
  );
}

type OfKey = { readonly of: KeyPartsFragment; readonly onDone: () => void };

function EditDialog({ of: key, onDone }: OfKey) {
  const t = useText(account);
  const mutate = useMutate();
  return (
    <Dialog isOpen title={t.editOf(key.name)} width="32rem" onClose={onDone}>
      <KeyForm
        of={key}
        act={t.save}
        onSubmit={async ({ expiresAt, ...rest }) => {
          const input = { id: key.id, ...rest, ...(expiresAt !== undefined && { expiresAt }) };
          accepted((await mutate(UpdateKeyDocument, { input })).updateApiKey);
          toast(t.saved);
          onDone();
        }}
      />
    </Dialog>
  );
}

function RevokeDialog({ of: key, onDone }: OfKey) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const revoke = () =>
    void action
      .run(async () => accepted((await mutate(RevokeKeyDocument, { id: key.id })).revokeApiKey))
      .then((isDone) => {
        if (!isDone) return;
        toast(t.revoked);
        onDone();
      });
  return (
    <Question
      title={t.revokeOf(key.name)}
      text={t.revokeText}
      act={t.revoke}
      isBusy={action.isBusy}
      problem={action.besides()}
      onAct={revoke}
      onClose={onDone}
    />
  );
}

type Values = {
  readonly name: string;
  readonly scope: ApiKeyScope;
  /** Undefined: as it is; null: never. */
  readonly expiresAt: string | null | undefined;
  readonly monthlyCredits: number | null;
};
type FormProps = {
  readonly of?: KeyPartsFragment;
  readonly act: string;
  readonly onSubmit: (values: Values) => Promise<void>;
};

function KeyForm({ of: key, act, onSubmit }: FormProps) {
  const t = useText(account);
  const when = useWhen();
  const action = useAction();
  const [scope, setScope] = useState<ApiKeyScope>(key?.scope ?? "GENERATE");
  const [expiry, setExpiry] = useState<Expiry>(key?.expiresAt ? "KEEP" : key ? "NEVER" : "90");
  const expiries: Expiry[] = [...(key?.expiresAt ? (["KEEP"] as const) : []), "30", "90", "365", "NEVER"];
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const credits = String(form.get("credits")).trim();
    const expiresAt =
      expiry === "KEEP" ? undefined : expiry === "NEVER" ? null : new Date(Date.now() + DAYS[expiry] * 86_400_000).toISOString();
    const values = { name: String(form.get("name")), scope, expiresAt, monthlyCredits: credits ? Number(credits) : null };
    void action.run(() => onSubmit(values));
  };
  const problem = action.besides("name", "monthlyCredits", "expiresAt");
  return (
    <form className={style["steps"]} onSubmit={submit}>
      <TextField
        name="name" label={t.keyName} hint={t.keyNameHint} defaultValue={key?.name ?? ""} isRequired autoFocus maxLength={100}
        error={action.of("name")}
      />
      <div className={style["pair"]}>
        <Select label={t.scope} value={scope} choices={SCOPES.map((id) => ({ id, label: t.scopes[id] }))} onChange={setScope} />
        <Select
          label={t.expiry}
          value={expiry}
          choices={expiries.map((id) => ({ id, label: id === "KEEP" ? when(key?.expiresAt ?? "", false) : t.expiries[id] }))}
          onChange={setExpiry}
        />
      </div>
      <TextField
        name="credits" type="number" label={t.monthlyCredits} hint={t.monthlyHint} inputMode="numeric"
        defaultValue={key?.monthlyCredits?.toString() ?? ""} error={action.of("monthlyCredits") ?? action.of("expiresAt")}
      />
      {problem && <Problem>{problem}</Problem>}
      <Button type="submit" look="primary" full busy={action.isBusy}>
        {act}
      </Button>
    </form>
  );
}
