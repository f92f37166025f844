// An order for one style, or without one: photo, words, options, and the button with its price.
import { useEffect, useMemo } from "react";
import { useQuery } from "urql";
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import { isUnavailable } from "../../app/problem.ts";
import { useSession } from "../../app/session.tsx";
import { Picture } from "../../components/card.tsx";
import { TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { Switch } from "../../components/switch.tsx";
import { PictureModelsDocument, type DeploymentQuery } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import type { Collection, Style } from "../styles/wall.tsx";
import { orderOf, useDraft, valueOf } from "./draft.ts";
import { mend, missesPhoto, offerOf, refusesPhoto } from "./models.ts";
import { Options } from "./options.tsx";
import { OrderBar } from "./order-bar.tsx";
import { useOrder } from "./order.ts";
import { PhotoField } from "./photo-field.tsx";
import { usePhoto } from "./photo.tsx";
import style from "./composer.module.css";

type Deployment = DeploymentQuery["deployment"];
type Props = {
  readonly picked: Style;
  /** The collection whose prices it has. */
  readonly prices: Collection | null;
  readonly deployment: Deployment;
  /** Called when an order was refused for now, which the deployment may say. */
  readonly onUnavailable: () => void;
};

/** Whether new orders are taken, as far as is known. */
export function takesOrders({ status }: Pick<Deployment, "status">): boolean {
  return status.acceptsGenerations && !status.readOnly;
}

export function Composer({ picked, prices, deployment, onUnavailable }: Props) {
  const t = useText(compose);
  const { viewer } = useSession();
  const { photo, isComing } = usePhoto();
  const [draft, change] = useDraft(picked);
  const order = useOrder();
  const [{ data }] = useQuery({ query: PictureModelsDocument });

  const usesPhoto = picked.referenceImage !== "UNUSED";
  const hasPhoto = usesPhoto && (photo !== null || isComing);
  const { aspectRatios } = deployment;
  const maxBatch = viewer?.maxBatch ?? deployment.maxBatch;
  const offer = useMemo(
    () => offerOf({ models: data?.models ?? [], picked, prices, aspectRatios, maxBatch, draft, hasPhoto }),
    [data, picked, prices, aspectRatios, maxBatch, draft, hasPhoto],
  );
  const { chosen, model } = offer;
  const modelMissesPhoto = model !== null && missesPhoto(model, hasPhoto, picked);
  const needsPhoto = picked.referenceImage === "REQUIRED" || modelMissesPhoto;
  const needsWords = picked.slug === "free" && !picked.isOwn;
  const unfilled = picked.variables.find((one) => one.required && !one.default && !valueOf(one, draft).trim());
  const isOpen = takesOrders(deployment);
  const missing = [
    ...(modelMissesPhoto ? [t.needsPhotoFor(model.name)] : needsPhoto && !hasPhoto ? [t.needsPhoto] : []),
    ...(chosen && refusesPhoto(chosen, hasPhoto) ? [t.refusesPhoto(chosen.name)] : []),
    ...(needsWords && !draft.prompt.trim() ? [t.needsWords] : []),
    ...(unfilled ? [t.needsVariable(unfilled.label)] : []),
    ...(isOpen ? [] : [t.paused]),
  ];

  useEffect(() => {
    const changes = mend(draft, offer);
    if (changes) change(changes);
  }, [draft, offer, change]);

  const { problem, forget } = order;
  useEffect(() => {
    if (isUnavailable(problem)) onUnavailable();
  }, [problem, onUnavailable]);
  useEffect(() => {
    if (isOpen) forget();
  }, [isOpen, forget]);

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
          if (!missing.length) void order.submit(usesPhoto, (uploadId) => orderOf(picked, draft, uploadId));
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
          picked={picked} offer={offer} media={deployment.media} pausedModels={deployment.status.pausedModels} draft={draft} change={change}
        />
        <OrderBar
          picked={picked} draft={draft} hasPhoto={hasPhoto || needsPhoto} each={model && offer.costOf(model)} missing={missing} order={order}
          deployment={deployment}
        />
      </form>
    </div>
  );
}
