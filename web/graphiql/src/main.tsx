// The page: a bar, and below it GraphiQL for whoever may use it, or the form that signs in.
import { lazy, StrictMode, Suspense, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { useAccount } from "./account";
import { findTabs, signOut, type Tab } from "./api";
import { Bar } from "./bar";
import "./page.css";
import { PhotoButton, usePhoto } from "./photo";
import "./picture.css";
import { SignIn } from "./sign-in";
import { textIn } from "./text";

const Workbench = lazy(() => import("./workbench"));
const forAdmins = document.documentElement.dataset.audience === "admins";

interface Ready {
  audience: string;
  tabs: Tab[];
  opening: Tab[];
}

function Page() {
  const { viewer, credits, socket, failed, refresh } = useAccount();
  const [ready, setReady] = useState<Ready>();
  const [slot, setSlot] = useState<HTMLElement | null>(null);
  const isAdmin = viewer != null && viewer.role !== "USER";
  const audience = isAdmin ? "admin" : "everyone";
  const mayUse = isAdmin || !forAdmins;
  const text = textIn(document.documentElement.lang);
  const desk = usePhoto(viewer?.id, text);

  useEffect(() => {
    if (viewer === undefined || !mayUse) return setReady(undefined);
    let isOver = false;
    findTabs()
      .catch(() => ({ tabs: [], opening: [] }))
      .then((found) => isOver || setReady({ audience, ...found }));
    return () => {
      isOver = true;
    };
  }, [viewer === undefined, audience, mayUse]);

  async function leave() {
    await signOut().catch(() => undefined); // over already: then there is nothing to end
    await refresh();
  }

  const form = <SignIn text={text} maySignUp={!forAdmins} onDone={refresh} />;
  return (
    <>
      <Bar
        text={text}
        viewer={viewer ?? null}
        credits={credits}
        onSignOut={() => void leave()}
        menuRef={setSlot}
        photo={viewer && mayUse && <PhotoButton desk={desk} text={text} />}
        signIn={viewer === null && mayUse ? form : null}
      />
      <main>
        {failed && <p role="alert">{text.unreachable}</p>}
        {viewer === null && !mayUse && (
          <SignIn text={text} note={text.adminsOnly} maySignUp={false} onDone={refresh} />
        )}
        {viewer && !mayUse && <p role="alert">{text.notAnAdmin}</p>}
        {mayUse && ready?.audience === audience && (
          <Suspense fallback={<p role="status">{text.wait}</p>}>
            <Workbench key={audience} socket={socket} slot={slot} desk={desk} text={text} {...ready} />
          </Suspense>
        )}
      </main>
    </>
  );
}

const stored = localStorage.getItem("graphiql:theme");
if (stored) document.body.classList.add(`graphiql-${stored}`);
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
