// Sharing a picture by a link, and taking it back.
import { useState, type FormEvent } from "react";
import { accepted, InputRefusedError } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Button, buttonClass } from "../../components/button.tsx";
import { Picture } from "../../components/card.tsx";
import { copy } from "../../components/clipboard.ts";
import { Dialog } from "../../components/dialog.tsx";
import { fieldStyle, Problem, TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { toast } from "../../components/toast.tsx";
import { ShareGenerationDocument, UnshareGenerationDocument } from "../../gql/graphql.ts";
import { picture as texts } from "../../locales/picture.ts";
import { nameOf, type Shown } from "./state.ts";
import style from "./share-dialog.module.css";

type Props = { readonly picture: Shown; readonly onClose: () => void };

export default function ShareDialog({ picture, onClose }: Props) {
  const t = useText(texts);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const [slug, setSlug] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const url = picture.shareUrl;

  const run = async (act: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(null);
    await act().catch(setProblem);
    setBusy(false);
  };
  const share = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const variables = { id: picture.id, slug: slug.trim() || null };
      const { data, error } = await clients.urql.mutation(ShareGenerationDocument, variables).toPromise();
      if (!data) throw error;
      accepted(data.shareGeneration);
    });
  };
  const unshare = () =>
    void run(async () => {
      const { data, error } = await clients.urql.mutation(UnshareGenerationDocument, { id: picture.id }).toPromise();
      if (!data) throw error;
      accepted(data.unshareGeneration);
      toast(t.unshared);
    });
  const slugProblem = problem instanceof InputRefusedError ? problem.of("slug") : null;
  const name = nameOf(picture, t.picture);
  return (
    <Dialog isOpen title={t.shareTitle} width="30rem" onClose={onClose}>
      <div className={style["card"]}>
        <Picture src={picture.result?.thumbnailUrl} alt="" className={style["image"] ?? ""} eager />
        <div>
          <p className={style["name"]}>{name}</p>
          <p className={style["host"]}>{new URL(url ?? location.href).host}</p>
        </div>
      </div>
      <p className={fieldStyle["hint"]}>{t.shareText}</p>
      {problem !== null && !slugProblem && <Problem>{messageOf(problem, problems)}</Problem>}
      {url ? (
        <>
          <TextField label={t.link} value={url} isReadOnly onFocus={(event) => (event.target as HTMLInputElement).select()} />
          <div className={style["acts"]}>
            <Button autoFocus look="primary" icon="copy" onPress={() => void copy(url, linkField()).then(() => toast(t.copied))}>
              {t.copy}
            </Button>
            {"share" in navigator && (
              <Button icon="share" onPress={() => void navigator.share({ title: name, url }).catch(() => undefined)}>
                {t.send}
              </Button>
            )}
            <a className={buttonClass({})} href={url} target="_blank" rel="noreferrer">
              <Icon name="external" />
              {t.open}
            </a>
            <Button look="danger" busy={isBusy} onPress={unshare}>
              {t.unshare}
            </Button>
          </div>
        </>
      ) : (
        <form className={fieldStyle["form"]} onSubmit={share}>
          <TextField autoFocus label={t.slug} hint={t.slugHint} value={slug} onChange={setSlug} error={slugProblem} validationBehavior="aria" />
          <Button type="submit" look="primary" size="large" full icon="share" busy={isBusy}>
            {t.shareDo}
          </Button>
        </form>
      )}
    </Dialog>
  );
}

function linkField(): HTMLInputElement | null {
  return document.querySelector("[role=dialog] input[readonly]");
}
