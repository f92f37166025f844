// What an order from a picture costs, and why it cannot be made.
import { useEffect } from "react";
import { useQuery } from "urql";
import { useSession } from "../../app/session.tsx";
import { PictureModelsDocument, QuoteDocument, type QuoteInput, type QuoteQuery } from "../../gql/graphql.ts";
import { useFunds } from "../compose/funds.ts";
import { isEnded, type Shown } from "./state.ts";

type Quote = NonNullable<QuoteQuery["quote"]>;
export type OrderQuote = {
  /** Null: not known yet. */
  readonly quote: Quote | null;
  /** Whether it is being read: it may be that of another number. */
  readonly isReading: boolean;
  readonly refusals: Quote["errors"];
  /** Whether the order must wait: for its price, or because it would be refused. */
  readonly isRefused: boolean;
  /** The most pictures of one order. */
  readonly most: number;
};

/** `hasPhoto`: whether the order begins with a picture, which may be the result of this one; `refines`: which is changed in words. */
export function useOrderQuote(picture: Shown, wanted: number, hasPhoto: boolean, refines = false): OrderQuote {
  const { viewer } = useSession();
  const [{ data, error: noModels }] = useQuery({ query: PictureModelsDocument });
  const model = data?.models.find(({ id, media }) => id === picture.requestedModel && media === picture.media);
  const most = Math.min(viewer?.maxBatch ?? 1, model?.maxBatch ?? Infinity);
  const input: QuoteInput = {
    styleId: picture.style?.id ?? null,
    media: picture.media,
    quality: picture.quality,
    count: Math.min(wanted, most),
    hasPhoto,
    refines,
    ...(picture.aspectRatio && { aspectRatio: picture.aspectRatio }),
    ...(picture.media === "VIDEO" && picture.durationSeconds && { durationSeconds: picture.durationSeconds }),
    ...(model && { model: model.id }), // as the order takes it
  };
  const hasPrice = Boolean(picture.style && isEnded(picture)); // without its style it cannot be ordered, which the server says
  const isPriced = hasPrice && Boolean(data);
  const [{ data: quoted, fetching, error }, reread] = useQuery({
    query: QuoteDocument, variables: { input }, pause: !isPriced, requestPolicy: "cache-and-network",
  });
  const funds = useFunds();
  useEffect(() => {
    if (isPriced) reread({ requestPolicy: "network-only" });
  }, [funds, isPriced, reread]);
  const quote = (isPriced && quoted?.quote) || null;
  const refusals = quote?.errors ?? [];
  // Without an answer, the server checks the order when it is placed.
  const isUnread = hasPrice && !quote && !error && !noModels;
  return { quote, isReading: fetching, refusals, isRefused: refusals.length > 0 || isUnread, most };
}
