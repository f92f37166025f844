// The picture of a style of the catalogue: a copy of one of the admin's own results, or the one that is shipped.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Picture } from "../../components/card.tsx";
import { OwnResultsDocument, SetPictureDocument } from "../../gql/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";
import { ActDialog, type Given } from "./act-dialog.tsx";
import { ListOf } from "./list.tsx";
import { pictureName } from "./parts.tsx";
import { useList, useRereadCatalogue } from "./read.ts";
import style from "./admin.module.css";

type Props = { readonly style: { readonly id: string; readonly title: string }; readonly onClose: () => void };

const SHIPPED = "shipped";

export function StylePictureDialog({ style: one, onClose }: Props) {
  const { picture: t } = useText(adminActs);
  const { clients } = useSession();
  const list = useList(OwnResultsDocument, {}, ({ viewer }) => viewer?.generations);
  const rereadCatalogue = useRereadCatalogue();
  const [chosen, setChosen] = useState<string | null>(null);
  const run = async ({ reason }: Given) => {
    const input = { styleId: one.id, generationId: chosen === SHIPPED ? null : chosen, reason };
    accepted((await clients.darkroom.run(SetPictureDocument, { input })).setStylePicture);
    rereadCatalogue();
  };
  return (
    <ActDialog
      title={t.title(one.title)} text={<p>{t.text}</p>} confirm={t.do} done={t.done} isReady={chosen !== null} onAct={run} onClose={onClose}
    >
      <ListOf list={list} empty={t.none} icon="image">
        {(results) => (
          <div className={style["choices"]} role="group" aria-label={t.title(one.title)}>
            {results.map(({ id, result, ...picture }) => (
              <button
                key={id} type="button" className={style["choice"]} aria-pressed={chosen === id} data-selected={chosen === id || undefined}
                onClick={() => setChosen(id)}
              >
                <Picture src={result?.thumbnailUrl} alt={pictureName(picture, id)} />
              </button>
            ))}
          </div>
        )}
      </ListOf>
      <label className={style["live"]}>
        <input type="checkbox" checked={chosen === SHIPPED} onChange={({ target }) => setChosen(target.checked ? SHIPPED : null)} />
        {t.shipped}
      </label>
    </ActDialog>
  );
}
