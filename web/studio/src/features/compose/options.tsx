// What can be chosen of a picture: the style's variables, its shape, quality and number, and more behind a disclosure.
import { useText } from "../../app/locale.tsx";
import { Chips } from "../../components/card.tsx";
import { TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { Select } from "../../components/select.tsx";
import type { MediaKind, Size } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import type { Style } from "../styles/wall.tsx";
import { valueOf, type ChangeDraft, type Draft } from "./draft.ts";
import type { Model, Offer } from "./models.ts";
import { Count, Group, OneOf } from "./one-of.tsx";
import style from "./options.module.css";

type Props = {
  readonly picked: Style;
  readonly offer: Offer;
  readonly media: readonly MediaKind[];
  readonly pausedModels: readonly string[];
  readonly draft: Draft;
  readonly change: ChangeDraft;
};

const SIZES: readonly Size[] = ["SMALL", "MEDIUM", "LARGE"];
const BEST = "best"; // no model is named

export function Options({ picked, offer, media: offered, pausedModels, draft, change }: Props) {
  const t = useText(compose);
  const { models, model, aspectRatios, qualities, durations, most } = offer;
  const isVideo = draft.media === "VIDEO";
  const media = picked.media.filter((one) => offered.includes(one));
  const noteOf = (one: Model) => {
    const cost = offer.costOf(one);
    return [
      pausedModels.includes(one.id) && t.modelPaused,
      cost !== null && t.cost(cost),
      one.needsReference && picked.referenceImage !== "REQUIRED" && t.modelNeedsPhoto,
      !one.maxReferences && picked.referenceImage === "OPTIONAL" && t.modelWordsOnly,
    ].filter((part) => typeof part === "string").join(" · ");
  };
  return (
    <div className={style["options"]}>
      <Variables picked={picked} draft={draft} change={change} />
      {media.length > 1 && (
        <Group label={t.media}>
          <Chips
            label={t.media} value={draft.media}
            onChange={(id) => change({ media: id, model: "", quality: "STANDARD", duration: null })}
            choices={media.map((id) => ({
              id,
              label: (
                <>
                  <Icon name={id === "VIDEO" ? "video" : "image"} />
                  {id === "VIDEO" ? t.video : t.image}
                </>
              ),
            }))}
          />
        </Group>
      )}
      <Group label={t.ratio}>
        <Chips
          label={t.ratio} value={draft.aspectRatio || "auto"}
          onChange={(id) => change({ aspectRatio: id === "auto" ? "" : id })}
          choices={[
            { id: "auto", label: t.auto },
            ...aspectRatios.map((id) => ({ id, label: <Ratio of={id} /> })),
          ]}
        />
      </Group>
      {qualities.length > 1 && (
        <Group label={t.quality}>
          <Chips
            label={t.quality} value={draft.quality} onChange={(quality) => change({ quality })}
            choices={qualities.map((id) => ({ id, label: t.qualities[id] }))}
          />
        </Group>
      )}
      {isVideo && durations.length > 1 && (
        <Group label={t.duration}>
          <Chips
            label={t.duration} value={String(draft.duration ?? durations[0])}
            onChange={(id) => change({ duration: Number(id) })}
            choices={durations.map((count) => ({ id: String(count), label: t.seconds(count) }))}
          />
        </Group>
      )}
      {most > 1 && <Count label={t.count} most={most} value={draft.count} onChange={(count) => change({ count })} />}
      {(picked.usesSize || models.length > 1) && (
        <details className={style["more"]}>
          <summary>
            <Icon name="chevron" />
            {t.more}
          </summary>
          <div>
            {picked.usesSize && (
              <Group label={t.size}>
                <Chips
                  label={t.size} value={draft.size} onChange={(size) => change({ size })}
                  choices={SIZES.map((id) => ({ id, label: t.sizes[id] }))}
                />
              </Group>
            )}
            {models.length > 1 && (
              <Select
                label={t.model} value={draft.model || BEST} onChange={(id) => change({ model: id === BEST ? "" : id })}
                choices={[
                  { id: BEST, label: t.bestModel, note: model?.name },
                  ...models.map((one) => ({ id: one.id, label: one.name, note: noteOf(one) })),
                ]}
              />
            )}
          </div>
        </details>
      )}
    </div>
  );
}

function Ratio({ of }: { readonly of: string }) {
  const [width = 1, height = 1] = of.split(":").map(Number);
  return (
    <>
      <span
        className={style["ratio"]} aria-hidden="true"
        style={{ aspectRatio: `${width} / ${height}`, height: width > height ? `${(0.95 * height) / width + 0.15}rem` : "1rem" }}
      />
      {of}
    </>
  );
}

type VariablesProps = Pick<Props, "picked" | "draft" | "change">;

function Variables({ picked, draft, change }: VariablesProps) {
  const t = useText(compose);
  return picked.variables.map((variable) => {
    const { name, label, options, values, default: usual, required, maxLength } = variable;
    const set = (value: string) => change({ variables: { ...draft.variables, [name]: value } });
    const value = valueOf(variable, draft);
    if (!options.length) {
      return (
        <TextField
          key={name} label={label} value={value} onChange={set} maxLength={maxLength} isRequired={required}
          placeholder={usual ?? ""} validationBehavior="aria"
        />
      );
    }
    const none = required || usual !== null ? [] : [{ id: "", label: t.any }];
    const choices = [...none, ...options.map((option, index) => ({ id: values[index] ?? option, label: option }))];
    return <OneOf key={name} label={label} value={value} onChange={set} choices={choices} />;
  });
}
