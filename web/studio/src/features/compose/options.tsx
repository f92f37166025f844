// What can be chosen of a picture: the style's variables, its shape, quality and number, and more behind a disclosure.
import type { ReactNode } from "react";
import { useText } from "../../app/locale.tsx";
import { Chips } from "../../components/card.tsx";
import { TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { Select } from "../../components/select.tsx";
import type { DeploymentQuery, PictureModelsQuery, Size } from "../../gql/graphql.ts";
import { compose } from "../../locales/compose.ts";
import type { Collection, Style } from "../styles/wall.tsx";
import type { ChangeDraft, Draft } from "./draft.ts";
import style from "./options.module.css";

export type Model = PictureModelsQuery["models"][number];

type Props = {
  readonly picked: Style;
  readonly collection: Collection | null;
  readonly deployment: DeploymentQuery["deployment"];
  readonly models: readonly Model[];
  readonly maxBatch: number;
  readonly draft: Draft;
  readonly change: ChangeDraft;
};

const CHIPS = 8; // values beside each other; more are in a list
const SIZES: readonly Size[] = ["SMALL", "MEDIUM", "LARGE"];

export function Options({ picked, collection, deployment, models, maxBatch, draft, change }: Props) {
  const t = useText(compose);
  const isVideo = draft.media === "VIDEO";
  const fitting = models.filter(({ media }) => media === draft.media);
  const model = fitting.find(({ id }) => id === draft.model) ?? fitting[0];
  const ratios = model?.aspectRatios.length ? model.aspectRatios : deployment.aspectRatios;
  const prices = (isVideo ? collection?.video?.qualities : collection?.qualities) ?? [];
  const qualities = (model?.qualities ?? []).filter((one) => !prices.length || prices.some(({ quality }) => quality === one));
  const media = picked.media.filter((one) => deployment.media.includes(one));
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
            ...ratios.map((id) => ({ id, label: <Ratio of={id} /> })),
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
      {isVideo && (model?.durations.length ?? 0) > 1 && (
        <Group label={t.duration}>
          <Chips
            label={t.duration} value={String(draft.duration ?? model?.durations[0])}
            onChange={(id) => change({ duration: Number(id) })}
            choices={(model?.durations ?? []).map((count) => ({ id: String(count), label: t.seconds(count) }))}
          />
        </Group>
      )}
      {maxBatch > 1 && (
        <OneOf
          label={t.count} value={String(Math.min(draft.count, maxBatch))} onChange={(id) => change({ count: Number(id) })}
          values={Array.from({ length: maxBatch }, (_, index) => String(index + 1))}
        />
      )}
      <details className={style["more"]}>
        <summary>
          <Icon name="chevron" />
          {t.more}
        </summary>
        <div>
          <Group label={t.size}>
            <Chips
              label={t.size} value={draft.size} onChange={(size) => change({ size })}
              choices={SIZES.map((id) => ({ id, label: t.sizes[id] }))}
            />
          </Group>
          {fitting.length > 1 && (
            <Select
              label={t.model} value={draft.model || "best"}
              onChange={(id) => change({ model: id === "best" ? "" : id, ...fittingTo(fitting.find((one) => one.id === id), draft) })}
              choices={[{ id: "best", label: t.bestModel }, ...fitting.map(({ id, name }) => ({ id, label: name }))]}
            />
          )}
        </div>
      </details>
    </div>
  );
}

/** What was chosen that a model cannot do, set back to what it can: its chips are not shown. */
function fittingTo(model: Model | undefined, { quality, aspectRatio, duration }: Draft): Partial<Draft> {
  if (!model) return {};
  const { qualities, aspectRatios, durations } = model;
  return {
    ...(!qualities.includes(quality) && { quality: qualities[0] ?? "STANDARD" }),
    ...(aspectRatios.length > 0 && !aspectRatios.includes(aspectRatio) && { aspectRatio: "" }),
    ...(duration !== null && !durations.includes(duration) && { duration: null }),
  };
}

function Group({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className={style["group"]}>
      <span className={style["label"]} aria-hidden="true">
        {label}
      </span>
      {children}
    </div>
  );
}

type OneOfProps = {
  readonly label: string;
  readonly values: readonly string[];
  readonly value: string;
  readonly onChange: (value: string) => void;
};

/** Chips for a few values, and a list for more. */
function OneOf({ label, values, value, onChange }: OneOfProps) {
  const choices = values.map((id) => ({ id, label: id }));
  if (choices.length > CHIPS) return <Select label={label} value={value} onChange={onChange} choices={choices} />;
  return (
    <Group label={label}>
      <Chips label={label} value={value} onChange={onChange} choices={choices} />
    </Group>
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
  return picked.variables.map(({ name, label, options, default: usual, required, maxLength }) => {
    const set = (value: string) => change({ variables: { ...draft.variables, [name]: value } });
    const value = draft.variables[name] ?? (options.length ? (usual ?? options[0] ?? "") : "");
    if (!options.length) {
      return (
        <TextField
          key={name} label={label} value={value} onChange={set} maxLength={maxLength} isRequired={required}
          placeholder={usual ?? ""} validationBehavior="aria"
        />
      );
    }
    return <OneOf key={name} label={label} value={value} onChange={set} values={options} />;
  });
}
