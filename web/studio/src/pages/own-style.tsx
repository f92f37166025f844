// The view in which a visitor makes or changes a style of their own.
import { Suspense, useState } from "react";
import { useQuery } from "urql";
import { Link, useLocation, useParams } from "wouter";
import { accepted } from "@darkroom/client/errors.ts";
import { newKey } from "@darkroom/client/key.ts";
import { Failed } from "../app/failed.tsx";
import { lazily } from "../app/lazily.ts";
import { useText } from "../app/locale.tsx";
import { messageOf, problemTexts } from "../app/problem.ts";
import { useSession } from "../app/session.tsx";
import { Button, ButtonLink } from "../components/button.tsx";
import { Empty, Loading, Skeleton } from "../components/card.tsx";
import { Dialog } from "../components/dialog.tsx";
import { Icon } from "../components/icons.tsx";
import { toast } from "../components/toast.tsx";
import { ViewTitle } from "../components/view-title.tsx";
import { useSignIn } from "../features/auth/sign-in.tsx";
import { Editor } from "../features/own-styles/editor.tsx";
import { emptyForm, formOf } from "../features/own-styles/form.ts";
import {
  CatalogueDocument,
  CreateOwnStyleDocument,
  DeleteOwnStyleDocument,
  DeploymentDocument,
  OwnStylesDocument,
  SetOwnStylePictureDocument,
  UpdateOwnStyleDocument,
  type OwnStylePartsFragment,
  type StyleInput,
} from "../gql/graphql.ts";
import { common } from "../locales/common.ts";
import { ownStyles } from "../locales/own-styles.ts";
import style from "./own-style.module.css";

const PictureDialog = lazily(() => import("../features/own-styles/picture-dialog.tsx"));

export default function OwnStylePage() {
  const t = useText(ownStyles);
  const c = useText(common);
  const { viewer } = useSession();
  const { open } = useSignIn();
  const { style: id } = useParams<{ style?: string }>();
  const [{ data: own, error }, rereadOwn] = useQuery({ query: OwnStylesDocument, pause: !viewer });
  const [{ data: catalogue, error: noCatalogue }, rereadCatalogue] = useQuery({ query: CatalogueDocument });
  const [{ data: deployed, error: noDeployment }, rereadDeployment] = useQuery({ query: DeploymentDocument });
  if (viewer === null) {
    return (
      <Empty icon="lock" title={t.signIn}>
        <Button look="primary" onPress={() => open("signIn")}>
          {c.signIn}
        </Button>
      </Empty>
    );
  }
  if ((error && !own) || (noCatalogue && !catalogue) || (noDeployment && !deployed)) {
    return <Failed reread={[...(viewer ? [rereadOwn] : []), rereadCatalogue, rereadDeployment]} />;
  }
  if (!own || !catalogue || !deployed || !viewer) {
    return (
      <Loading>
        <Skeleton css={{ height: "24rem" }} />
      </Loading>
    );
  }
  const known = own.styles.edges.find(({ node }) => node.id === id)?.node ?? null;
  const most = own.deployment.maxCustomStyles;
  if (most === null || (id && !known)) {
    return (
      <Empty icon="image" title={most === null ? t.notOffered : t.missing}>
        <ButtonLink look="primary" to="/">
          {t.back}
        </ButtonLink>
      </Empty>
    );
  }
  const free = catalogue.collections.flatMap(({ styles }) => styles).find(({ slug }) => slug === "free");
  const isFull = !known && own.styles.edges.length >= most;
  return (
    <>
      <header className={style["head"]}>
        <Link href={known ? `/create/own/${known.id}` : "/"} className={style["back"]}>
          <Icon name="back" />
          {known ? t.toStyle : t.back}
        </Link>
        <ViewTitle>{known ? t.editTitle : t.createTitle}</ViewTitle>
        <p>{isFull ? t.full(most) : t.lead}</p>
      </header>
      {!isFull && (
        <Content
          key={id} known={known} takesPhotos={free?.referenceImage !== "UNUSED"} promptMaxLength={deployed.deployment.promptMaxLength}
        />
      )}
    </>
  );
}

type Props = { readonly known: OwnStylePartsFragment | null; readonly takesPhotos: boolean; readonly promptMaxLength: number };

function Content({ known, takesPhotos, promptMaxLength }: Props) {
  const t = useText(ownStyles);
  const { clients } = useSession();
  const [, navigate] = useLocation();
  const [key] = useState(newKey);
  const [first] = useState(() => (known ? formOf(known) : emptyForm(takesPhotos ? "OPTIONAL" : "UNUSED")));
  const save = async (input: StyleInput) => {
    if (known) {
      const { data, error } = await clients.urql.mutation(UpdateOwnStyleDocument, { id: known.id, input }).toPromise();
      if (!data) throw error;
      accepted(data.updateStyle);
      toast(t.saved);
      return;
    }
    // The key makes a second press the same style, and what was corrected in between another one.
    const idempotencyKey = `${key}-${digestOf(JSON.stringify(input))}`;
    const { data, error } = await clients.urql.mutation(CreateOwnStyleDocument, { input: { ...input, idempotencyKey } }).toPromise();
    if (!data) throw error;
    const { style: made } = accepted(data.createStyle);
    toast(t.saved);
    navigate(`/create/own/${made?.id}`);
  };
  return (
    <Editor known={known} first={first} takesPhotos={takesPhotos} promptMaxLength={promptMaxLength} onSave={save}>
      {known ? <Acts known={known} /> : <p className={style["text"]}>{t.pictureLater}</p>}
    </Editor>
  );
}

/** A short number of a text, to tell two apart. */
function digestOf(text: string): string {
  let sum = 5381;
  for (const letter of text) sum = (sum * 33 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum.toString(16);
}

function Acts({ known }: { readonly known: OwnStylePartsFragment }) {
  const t = useText(ownStyles);
  const c = useText(common);
  const problems = useText(problemTexts);
  const { clients } = useSession();
  const [, navigate] = useLocation();
  const [dialog, setDialog] = useState<"picture" | "delete" | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (act: () => Promise<void>) => {
    setBusy(true);
    setDialog(null);
    await act().catch((refusal: unknown) => void toast(messageOf(refusal, problems)));
    setBusy(false);
  };
  const setPicture = (generationId: string | null) =>
    void run(async () => {
      const input = { styleId: known.id, generationId };
      const { data, error } = await clients.urql.mutation(SetOwnStylePictureDocument, { input }).toPromise();
      if (!data) throw error;
      accepted(data.setStylePicture);
      toast(generationId ? t.pictureSet : t.pictureRemoved);
    });
  const remove = () =>
    void run(async () => {
      const { data, error } = await clients.urql.mutation(DeleteOwnStyleDocument, { id: known.id }).toPromise();
      if (!data) throw error;
      accepted(data.deleteStyle);
      toast(t.deleted);
      navigate("/");
    });
  return (
    <>
      <Button icon="image" busy={isBusy} onPress={() => setDialog("picture")}>
        {t.choosePicture}
      </Button>
      {known.previewUrl && (
        <Button isDisabled={isBusy} onPress={() => setPicture(null)}>
          {t.removePicture}
        </Button>
      )}
      <Button look="danger" icon="trash" isDisabled={isBusy} onPress={() => setDialog("delete")}>
        {t.delete}
      </Button>
      <Suspense>{dialog === "picture" && <PictureDialog onClose={() => setDialog(null)} onChoose={setPicture} />}</Suspense>
      <Dialog isOpen={dialog === "delete"} role="alertdialog" title={t.deleteTitle} onClose={() => setDialog(null)}>
        <p>{t.deleteText}</p>
        <div className={style["confirm"]}>
          <Button onPress={() => setDialog(null)}>{c.cancel}</Button>
          <Button look="danger" icon="trash" onPress={remove}>
            {t.delete}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
