// What admins do with any account's picture.
import { useState } from "react";
import { useLocation } from "wouter";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Button } from "../../components/button.tsx";
import {
  DeskCancelDocument,
  DeskDeleteDocument,
  DeskRefundDocument,
  DeskRetryDocument,
  DeskUnshareDocument,
  type DeskPicturePartsFragment,
} from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";
import { common } from "../../locales/common.ts";
import { isCharged } from "../picture/state.ts";
import { ActDialog, type Given } from "./act-dialog.tsx";
import style from "./admin.module.css";

type Picture = DeskPicturePartsFragment;
const ACTS = ["refund", "retry", "cancel", "unshare", "remove"] as const;
export type PictureAct = (typeof ACTS)[number];

function actsFor(picture: Picture): PictureAct[] {
  const { status, refunded, shareUrl } = picture;
  const hasEnded = status !== "PENDING" && status !== "PROCESSING";
  const isShown: Record<PictureAct, boolean> = {
    refund: hasEnded && !refunded && isCharged(picture),
    retry: status === "FAILED" || status === "CANCELED",
    cancel: !hasEnded,
    unshare: Boolean(shareUrl),
    remove: true,
  };
  return ACTS.filter((act) => isShown[act]);
}

type Props = {
  readonly picture: Picture;
  readonly name: string;
  /** These alone. */
  readonly only?: readonly PictureAct[];
  /** Where to go on when it is deleted. */
  readonly after?: string;
};

export function PictureActs({ picture, name, only = ACTS, after }: Props) {
  const a = useText(adminActs);
  const [open, setOpen] = useState<PictureAct | null>(null);
  return (
    <div className={style["acts"]}>
      {actsFor(picture).filter((act) => only.includes(act)).map((act) => (
        <Button key={act} size="small" look={act === "remove" ? "danger" : "outline"} onPress={() => setOpen(act)}>
          {a[act].act}
        </Button>
      ))}
      {open && <PictureActDialog picture={picture} name={name} act={open} after={after} onClose={() => setOpen(null)} />}
    </div>
  );
}

type DialogProps = Props & { readonly act: PictureAct; readonly onClose: () => void };

function PictureActDialog({ picture, name, act, after, onClose }: DialogProps) {
  const t = useText(admin);
  const a = useText(adminActs);
  const c = useText(common);
  const { clients } = useSession();
  const [, navigate] = useLocation();
  const { id, owner } = picture;
  const [isEveryUse, setEveryUse] = useState(false);
  const run = async ({ reason }: Given) => {
    const { darkroom } = clients;
    if (act === "refund") return accepted((await darkroom.run(DeskRefundDocument, { id, reason })).adminRefundGeneration);
    if (act === "retry") return accepted((await darkroom.run(DeskRetryDocument, { id, reason })).adminRetryGeneration);
    if (act === "unshare") return accepted((await darkroom.run(DeskUnshareDocument, { id, reason })).adminUnshareGeneration);
    if (act === "cancel") return accepted((await darkroom.run(DeskCancelDocument, { id, reason })).cancelGeneration);
    accepted((await darkroom.run(DeskDeleteDocument, { id, reason, everyUse: isEveryUse })).adminDeleteGeneration);
    if (after) navigate(after, { replace: true });
  };
  const text = act === "refund" ? (picture.paidBy === "PASS" ? a.refund.pass : a.refund.text(c.credits(picture.cost))) : a[act].text;
  return (
    <ActDialog
      title={a[act].title} subject={`${name} · ${owner.email ?? t.pictures.anonymous}`} text={<p>{text as string}</p>} confirm={a[act].do} done={a[act].done}
      isDanger={act === "remove"} reasonHint={act === "refund" ? a.shownToOwner : undefined} onAct={run} onClose={onClose}
    >
      {act === "remove" && (
        <label className={style["live"]}>
          <input type="checkbox" checked={isEveryUse} onChange={({ target }) => setEveryUse(target.checked)} />
          {a.remove.everyUse}
        </label>
      )}
    </ActDialog>
  );
}
