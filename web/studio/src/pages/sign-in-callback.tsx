// Where identity providers send the browser back to.
import { useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useText } from "../app/locale.tsx";
import { messageOf, problemTexts } from "../app/problem.ts";
import { useSession } from "../app/session.tsx";
import { ButtonLink } from "../components/button.tsx";
import { Loading, Skeleton } from "../components/card.tsx";
import { Problem } from "../components/field.tsx";
import { toast } from "../components/toast.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import style from "../features/account/account.module.css";
import { link, signInWith, takeAnswer } from "../features/auth/provider.ts";
import { useWelcome } from "../features/auth/welcome.ts";
import { auth } from "../locales/auth.ts";
import { common } from "../locales/common.ts";

export default function SignInCallbackPage() {
  const t = useText(auth);
  const c = useText(common);
  const problems = useText(problemTexts);
  const { clients, enter, restart } = useSession();
  const welcome = useWelcome();
  const [, navigate] = useLocation();
  const [problem, setProblem] = useState<string | null>(null);
  const [back, setBack] = useState("/");
  const isTaken = useRef(false); // React may run the effect twice

  useEffect(() => {
    if (isTaken.current) return;
    isTaken.current = true;
    const taken = takeAnswer();
    if (taken.kind !== "token") {
      if (taken.kind === "refused") setBack(taken.back);
      setProblem(taken.kind === "refused" ? t.refusedThere : t.unknownAnswer);
      return;
    }
    const { idToken, begun } = taken;
    setBack(begun.back);
    const finish = async () => {
      if (begun.purpose === "link") {
        await link(clients.darkroom, idToken, begun.nonce);
        restart();
        navigate(begun.back, { replace: true });
        toast(t.linked);
        return;
      }
      const taken = await enter(() => signInWith(clients.darkroom, idToken, begun.nonce));
      navigate(begun.back, { replace: true });
      welcome(taken);
    };
    finish().catch((refusal: unknown) => setProblem(messageOf(refusal, problems)));
  }, []); // once: the answer is of one visit

  if (problem === null) {
    return (
      <Loading>
        <Skeleton className={style["skeleton"] ?? ""} />
      </Loading>
    );
  }
  return (
    <div className={style["narrow"]}>
      <ViewTitle>{t.failed}</ViewTitle>
      <Problem>{problem}</Problem>
      <ButtonLink full to={back}>
        {c.back}
      </ButtonLink>
    </div>
  );
}
