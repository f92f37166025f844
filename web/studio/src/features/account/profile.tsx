// The name and the language of the account, and for guests the way to keep it.
import { useState, type FormEvent } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useChooseLocale } from "../../app/choose-locale.ts";
import { LOCALES, useLocale, useText } from "../../app/locale.tsx";
import type { Viewer } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Problem, TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import { toast } from "../../components/toast.tsx";
import { SaveProfileDocument } from "../../gql/graphql.ts";
import { account } from "../../locales/account.ts";
import { auth } from "../../locales/auth.ts";
import { common } from "../../locales/common.ts";
import { useSignIn } from "../auth/sign-in.tsx";
import { useAction, useMutate } from "./action.ts";
import { Section } from "./section.tsx";
import style from "./account.module.css";

export function KeepSection() {
  const t = useText(auth);
  const c = useText(common);
  const { open } = useSignIn();
  return (
    <Section title={t.keepTitle} text={t.keepText}>
      <div className={style["acts"]}>
        <Button look="primary" icon="heart" onPress={() => open("signUp")}>
          {c.keep}
        </Button>
        <Button onPress={() => open("signIn")}>{t.toSignIn}</Button>
      </div>
    </Section>
  );
}

export function ProfileSection({ viewer }: { readonly viewer: Viewer }) {
  const t = useText(account);
  const mutate = useMutate();
  const action = useAction();
  const [name, setName] = useState(viewer.name ?? "");
  const save = (event: FormEvent) => {
    event.preventDefault();
    void action
      .run(async () => accepted((await mutate(SaveProfileDocument, { input: { name: name.trim() || null } })).updateProfile))
      .then((done) => done && toast(t.saved));
  };
  const problem = action.besides("name");
  return (
    <Section title={t.profile}>
      <form className={style["form"]} onSubmit={save}>
        <TextField
          label={t.name}
          hint={t.nameHint}
          value={name}
          onChange={setName}
          autoComplete="name"
          maxLength={100}
          error={action.of("name")}
        />
        {problem && <Problem>{problem}</Problem>}
        <div className={style["acts"]}>
          <Button type="submit" look="primary" busy={action.isBusy}>
            {t.save}
          </Button>
        </div>
      </form>
    </Section>
  );
}

export function LanguageSection() {
  const t = useText(account);
  const { locale } = useLocale();
  const choose = useChooseLocale();
  const choices = LOCALES.map(({ id, name: label }) => ({ id, label }));
  return (
    <Section title={t.languages} text={t.languageText}>
      <div className={style["form"]}>
        <Select label={t.language} value={locale} choices={choices} onChange={choose} />
      </div>
    </Section>
  );
}
