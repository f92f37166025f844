// The question before a guest signs out. A guest cannot sign in again, so the server deletes the account.
import { useState } from "react";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { auth } from "../../locales/auth.ts";
import { common } from "../../locales/common.ts";
import { useSignIn } from "./sign-in.tsx";
import style from "./sign-in.module.css";

type Props = { readonly credits: number; readonly onSignOut: () => Promise<void>; readonly onClose: () => void };

export default function GuestSignOutDialog({ credits, onSignOut, onClose }: Props) {
  const t = useText(auth);
  const c = useText(common);
  const { open } = useSignIn();
  const [isBusy, setBusy] = useState(false);
  const keep = () => {
    onClose();
    open("signUp");
  };
  const leave = () => {
    setBusy(true);
    void onSignOut().finally(onClose);
  };
  return (
    <Dialog isOpen role="alertdialog" title={t.leaveTitle} width="30rem" onClose={onClose}>
      <p>{t.leaveText(credits > 0 ? c.credits(credits) : null)}</p>
      <div className={style["acts"]}>
        <Button autoFocus look="primary" icon="heart" onPress={keep}>
          {c.keep}
        </Button>
        <Button look="danger" icon="trash" busy={isBusy} onPress={leave}>
          {t.leaveDo}
        </Button>
        <Button onPress={onClose}>{c.cancel}</Button>
      </div>
    </Dialog>
  );
}
