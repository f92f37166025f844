// An order for one style, or without one: photo, words, options, and the button with its price.
import { useEffect, useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Picture } from "../../components/card.tsx";
import { TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { Switch } from "../../components/switch.tsx";
import { PictureModelsDocument, type DeploymentQuery } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import type { Collection, Style } from "../styles/wall.tsx";
import { orderOf, useDraft } from "./draft.ts";
import { Options } from "./options.tsx";
import { OrderBar } from "./order-bar.tsx";
import { useOrder } from "./order.ts";
import { PhotoField } from "./photo-field.tsx";
import { usePhoto } from "./photo.tsx";
import style from "./composer.module.css";

type Props = {
  readonly picked: Style;
  readonly collection: Collection | null;
  readonly deployment: DeploymentQuery["deployment"];
};

export function Composer({ picked, collection, deployment }: Props) {
  const t = useText(compose);
  const { viewer } = useSession();
  const { photo } = usePhoto();
  const [draft, change] = useDraft(picked);
  const order = useOrder();
  const [{ data }] = useQuery({ query: PictureModelsDocument });
  const models = useMemo(() => data?.models ?? [], [data]);

  const usesPhoto = picked.referenceImage !== "UNUSED";
  const needsPhoto = picked.referenceImage === "REQUIRED";
  const needsWords = picked.slug === "free" && !picked.isOwn;
  const hasPhoto = usesPhoto && photo !== null;
  const maxBatch = viewer?.maxBatch ?? deployment.maxBatch;
  const unfilled = picked.variables.find(({ name, required, default: usual }) => required && !usual && !draft.variables[name]?.trim());
  const missing = [
    ...(needsPhoto && !hasPhoto ? [t.needsPhoto] : []),
    ...(needsWords && !draft.prompt.trim() ? [t.needsWords] : []),
    ...(unfilled ? [t.needsVariable(unfilled.label)] : []),
    ...(deployment.status.acceptsGenerations ? [] : [t.paused]),
  ];

  useEffect(() => {
    if (draft.count > maxBatch) change({ count: maxBatch });
  }, [draft.count, maxBatch, change]);

  const left = deployment.promptMaxLength - draft.prompt.length;
  return (
    <div className={style["page"]}>
      <div className={style["stage"]}>
        {usesPhoto ? (
          <PhotoField rules={deployment.upload} isRequired={needsPhoto} example={picked.previewUrl} />
        ) : (
          <Picture className={style["poster"] ?? ""} src={picked.previewUrl} alt={t.example} eager />
        )}
      </div>
      <form
        className={style["form"]}
        onSubmit={(event) => {
          event.preventDefault();
          if (!missing.length) void order.submit(hasPhoto, (uploadId) => orderOf(picked, draft, uploadId));
        }}
      >
        <header>
          <div className={style["ways"]}>
            <Link href="/" className={style["back"]}>
              <Icon name="back" />
              {t.back}
            </Link>
            {picked.isOwn && (
              <Link href={`/create/own/${picked.id}/edit`} className={style["back"]}>
                <Icon name="wand" />
                {t.edit}
              </Link>
            )}
          </div>
          <h1 className={style["title"]}>{picked.title}</h1>
          <p className={style["lead"]}>{picked.description}</p>
        </header>
        <TextField
          label={needsWords ? t.words : t.wordsOptional} rows={3} value={draft.prompt} maxLength={deployment.promptMaxLength}
          onChange={(prompt) => change({ prompt })} placeholder={needsWords ? t.wordsExample : t.wordsHint}
          hint={left < 200 ? t.left(left) : null} validationBehavior="aria"
        />
        {deployment.enhancesPrompts && draft.prompt.trim() && (
          <Switch isOn={draft.enhance} onChange={(enhance) => change({ enhance })}>
            {t.enhance}
          </Switch>
        )}
        <Options
          picked={picked} collection={collection} deployment={deployment} models={models} maxBatch={maxBatch} draft={draft}
          change={change}
        />
        <OrderBar picked={picked} draft={draft} hasPhoto={hasPhoto} missing={missing} order={order} deployment={deployment} />
      </form>
    </div>
  );
}
