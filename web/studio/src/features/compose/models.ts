// What each model can do for an order, and what it costs there: by the rules of the server, before its quote is there.
import type { MediaKind, PictureModelsQuery, Quality } from "../../gql/graphql.ts";
import type { Collection, Style } from "../styles/wall.tsx";
import type { Draft } from "./draft.ts";

export type Model = PictureModelsQuery["models"][number];

type Wanted = {
  readonly models: readonly Model[];
  readonly picked: Pick<Style, "cost" | "referenceImage">;
  /** Whose prices it has; null: not known. */
  readonly prices: Pick<Collection, "qualities" | "video"> | null;
  readonly aspectRatios: readonly string[];
  readonly maxBatch: number;
  readonly draft: Draft;
  readonly hasPhoto: boolean;
};

export type Offer = {
  /** Those that can make anything of this order. */
  readonly models: readonly Model[];
  /** The one that was chosen. */
  readonly chosen: Model | null;
  /** It, else the first that can do what is asked for, as the server takes it. */
  readonly model: Model | null;
  readonly aspectRatios: readonly string[];
  readonly qualities: readonly Quality[];
  readonly durations: readonly number[];
  readonly most: number;
  /** Credits for one, by the model; null: not known. */
  readonly costOf: (model: Model) => number | null;
};

/** What can be chosen of an order, as it is filled in now. */
export function offerOf({ models: all, picked, prices, aspectRatios, maxBatch, draft, hasPhoto: isThere }: Wanted): Offer {
  const hasPhoto = isThere || picked.referenceImage === "REQUIRED"; // it is not ordered without one
  const models = all.filter((one) => one.media === draft.media && fits(one, picked.referenceImage));
  const chosen = models.find(({ id }) => id === draft.model) ?? null;
  const able = models.filter((one) => isAble(one, draft, hasPhoto));
  const model = chosen ?? able[0] ?? models[0] ?? null;
  const ready = models.filter((one) => !missesPhoto(one, hasPhoto, picked) && !refusesPhoto(one, hasPhoto));
  const asked = chosen ? [chosen] : ready.length ? ready : models;
  const sold = pricesOf(prices, picked, draft.media)?.qualities.map(({ quality }) => quality);
  const qualities = distinct(asked.flatMap((one) => one.qualities)).filter((one) => !sold || sold.includes(one));
  const inQuality = asked.filter((one) => one.qualities.includes(draft.quality));
  return {
    models,
    chosen,
    model,
    qualities,
    aspectRatios: distinct(inQuality.flatMap((one) => (one.aspectRatios.length ? one.aspectRatios : aspectRatios))),
    durations: model?.durations ?? [],
    most: Math.min(maxBatch, Math.max(1, ...asked.map((one) => one.maxBatch ?? maxBatch))),
    costOf: (one) => costOf(pricesOf(prices, picked, draft.media), one, draft),
  };
}

/** The changes of a draft that make it one which is offered; null: it is. */
export function mend(draft: Draft, { models, chosen, aspectRatios, qualities, durations, most }: Offer): Partial<Draft> | null {
  const [quality] = qualities;
  const changes: Partial<Draft> = {
    ...(draft.model && !chosen && { model: "" }),
    ...(quality && !qualities.includes(draft.quality) && { quality }),
    ...(aspectRatios.length && draft.aspectRatio && !aspectRatios.includes(draft.aspectRatio) && { aspectRatio: "" }),
    ...(draft.duration !== null && !durations.includes(draft.duration) && { duration: null }),
    ...(draft.count > most && { count: most }),
  };
  return models.length && Object.keys(changes).length ? changes : null;
}

/** Whether an order has no photo yet, and this model makes nothing without one. */
export function missesPhoto({ needsReference }: Model, hasPhoto: boolean, { referenceImage }: Wanted["picked"]): boolean {
  return needsReference && !hasPhoto && referenceImage !== "REQUIRED"; // a style that requires one says so itself
}

/** Whether an order has a photo, and this model works from words alone. */
export function refusesPhoto({ maxReferences }: Model, hasPhoto: boolean): boolean {
  return hasPhoto && maxReferences === 0;
}

function fits({ needsReference, maxReferences }: Model, referenceImage: Style["referenceImage"]): boolean {
  return referenceImage === "REQUIRED" ? maxReferences > 0 : referenceImage === "OPTIONAL" || !needsReference;
}

function isAble(one: Model, { quality, aspectRatio, count, duration }: Draft, hasPhoto: boolean): boolean {
  return (
    one.qualities.includes(quality) &&
    (!aspectRatio || !one.aspectRatios.length || one.aspectRatios.includes(aspectRatio)) &&
    count <= (one.maxBatch ?? Infinity) &&
    (hasPhoto ? one.maxReferences > 0 : !one.needsReference) &&
    (duration === null || one.durations.includes(duration))
  );
}

type Prices = { readonly baseCost: number; readonly qualities: readonly { readonly quality: Quality; readonly multiplier: number }[] };

function pricesOf(prices: Wanted["prices"], { cost }: Wanted["picked"], media: MediaKind): Prices | null {
  if (!prices) return null;
  return media === "VIDEO" ? (prices.video ?? null) : { baseCost: cost, qualities: prices.qualities };
}

/** Rounded up once, after all factors; 100 × 1.1 is a little more than 110 in binary. */
function costOf(prices: Prices | null, { priceFactor, durations, durationFactors }: Model, { quality, duration }: Draft): number | null {
  const multiplier = prices?.qualities.find((one) => one.quality === quality)?.multiplier;
  if (!prices || multiplier === undefined) return null;
  const place = duration === null ? 0 : Math.max(0, durations.indexOf(duration));
  return Math.ceil(Number((prices.baseCost * multiplier * priceFactor * (durationFactors[place] ?? 1)).toFixed(6)));
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
