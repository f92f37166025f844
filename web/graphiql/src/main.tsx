// The page: a bar, and below it GraphiQL or, for users without access, the sign-in form.
import { lazy, StrictMode, Suspense, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { useAccount } from "./account";
import { fetchTabs, signOut, type Tab } from "./api";
import { Bar } from "./bar";
import "./page.css";
import { PhotoButton, usePhoto } from "./photo";
import "./picture.css";
import { SignIn } from "./sign-in";
import { textIn } from "./text";

const Workbench = lazy(() => import("./workbench"));
const forAdmins = document.documentElement.dataset.audience === "admins";

interface Examples {
  audience: string;
  tabs: Tab[];
  opening: Tab[];
}

function Page() {
  const { viewer, credits, socket, failed, refresh } = useAccount();
  const [examples, setExamples] = useState<Examples>();
  const [slot, setSlot] = useState<HTMLElement | null>(null);
  const isAdmin = viewer != null && viewer.role !== "USER";
  const audience = isAdmin ? "admin" : "everyone";
  const mayUse = isAdmin || !forAdmins;
  const text = textIn(document.documentElement.lang);
  const photo = usePhoto(viewer?.id, text);

  useEffect(() => {
    if (viewer === undefined || !mayUse) return setExamples(undefined);
    let isOver = false;
    fetchTabs()
      .catch(() => ({ tabs: [], opening: [] }))
      .then((found) => isOver || setExamples({ audience, ...found }));
    return () => {
      isOver = true;
    };
  }, [viewer === undefined, audience, mayUse]);

  async function endSession() {
    await signOut().catch(() => undefined); // the session may have expired already
    await refresh();
  }

  const form = <SignIn text={text} maySignUp={!forAdmins} onDone={refresh} />;
  return (
    <>
      <Bar
        text={text}
        viewer={viewer ?? null}
        credits={credits}
        onSignOut={() => void endSession()}
        menuRef={setSlot}
        photo={viewer && mayUse && <PhotoButton selection={photo} text={text} />}
        signIn={viewer === null && mayUse ? form : null}
      />
      <main>
        {failed && <p role="alert">{text.unreachable}</p>}
        {viewer === null && !mayUse && (
          <SignIn text={text} note={text.adminsOnly} maySignUp={false} onDone={refresh} />
        )}
        {viewer && !mayUse && <p role="alert">{text.notAnAdmin}</p>}
        {mayUse && examples?.audience === audience && (
          <Suspense fallback={<p role="status">{text.loading}</p>}>
            <Workbench key={audience} socket={socket} slot={slot} photo={photo} text={text} {...examples} />
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
