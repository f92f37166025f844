// The whole application: what is around every view, and the view of the address.
import { Suspense, useEffect, useRef } from "react";
import { RouterProvider } from "react-aria-components";
import { useLocation } from "wouter";
import { Loading } from "../components/card.tsx";
import { Toasts } from "../components/toast.tsx";
import { SignInProvider } from "../features/auth/sign-in.tsx";
import { PendingOrders } from "../features/compose/pending.ts";
import { PhotoProvider } from "../features/compose/photo.tsx";
import { Footer } from "./footer.tsx";
import { Header } from "./header.tsx";
import { Live } from "./live.tsx";
import { LocaleProvider } from "./locale.tsx";
import { OfflineNote } from "./offline.tsx";
import { Views } from "./routes.tsx";
import { SessionProvider } from "./session.tsx";
import style from "./app.module.css";

export function App() {
  const [, navigate] = useLocation();
  return (
    <LocaleProvider>
      <RouterProvider navigate={navigate}>
        <SessionProvider>
          <SignInProvider>
            <Live />
            <PendingOrders />
            <Header />
            <OfflineNote />
            <PhotoProvider>
              <Main />
            </PhotoProvider>
            <Footer />
            <Toasts />
          </SignInProvider>
        </SessionProvider>
      </RouterProvider>
    </LocaleProvider>
  );
}

/** Each new view begins at its top, and screen readers go on there. */
function Main() {
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(path);
  useEffect(() => {
    if (first.current === path) return;
    first.current = "";
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);
  return (
    <main id="main" ref={main} tabIndex={-1}>
      <Suspense fallback={<Loading><div className={style["loading"]} /></Loading>}>
        <Views />
      </Suspense>
    </main>
  );
}
