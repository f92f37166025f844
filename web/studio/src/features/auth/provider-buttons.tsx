// A button for each identity provider; nothing where there are none.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import { Problem } from "../../components/field.tsx";
import { auth } from "../../locales/auth.ts";
import { begin, useProviders, type Provider, type Purpose } from "./provider.ts";
import style from "./sign-in.module.css";

export function ProviderButtons({ purpose }: { readonly purpose: Purpose }) {
  const t = useText(auth);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const providers = useProviders();
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  if (providers.length === 0) return null;
  const go = async (provider: Provider) => {
    setBusy(provider.issuer);
    setProblem(null);
    try {
      await begin(clients.darkroom, provider, purpose); // and the browser leaves
    } catch (refusal) {
      setProblem(refusal);
      setBusy(null);
    }
  };
  return (
    <div className={style["providers"]}>
      {problem !== null && <Problem>{messageOf(problem, problems)}</Problem>}
      {providers.map((one) => (
        <Button key={one.issuer} full icon="shield" busy={busy === one.issuer} onPress={() => void go(one)}>
          {purpose === "link" ? t.linkAt(one.name) : t.signInAt(one.name)}
        </Button>
      ))}
    </div>
  );
}
