// What the visitor has filled in for a style; it survives a reload of the page.
import { useCallback, useEffect, useState } from "react";
import { useSearchParams } from "wouter";
import { keepForOwner, OWN } from "../../app/tab-owner.ts";
import type { CreateGenerationInput, MediaKind, Quality, QuoteInput, Size } from "../../gql/graphql.ts";
import { variablesIn } from "../styles/address.ts";
import type { Style } from "../styles/wall.tsx";

export type Draft = {
  readonly prompt: string;
  /** By name: options as in the prompt, which is the same in every language, or free text. */
  readonly variables: Readonly<Record<string, string>>;
  readonly media: MediaKind;
  readonly quality: Quality;
  readonly size: Size;
  readonly count: number;
  /** Empty: as the server decides. */
  readonly aspectRatio: string;
  readonly model: string;
  readonly duration: number | null;
  readonly enhance: boolean;
};

const BEGINNING: Draft = {
  prompt: "",
  variables: {},
  media: "IMAGE",
  quality: "STANDARD",
  size: "MEDIUM",
  count: 1,
  aspectRatio: "",
  model: "",
  duration: null,
  enhance: false,
};

export type ChangeDraft = (change: Partial<Draft>) => void;

/** Use it in a component with the style as its key: each style has its own draft. */
export function useDraft(style: Style): [Draft, ChangeDraft] {
  const key = `${OWN}draft.${style.id}`;
  const [draft, setDraft] = useState<Draft>(() => {
    try {
      return { ...BEGINNING, ...(JSON.parse(sessionStorage.getItem(key) ?? "{}") as Partial<Draft>) };
    } catch {
      return BEGINNING;
    }
  });
  const change = useCallback<ChangeDraft>(
    (part) =>
      setDraft((before) => {
        const next = { ...before, ...part };
        keepForOwner(key, JSON.stringify(next));
        return next;
      }),
    [key],
  );
  const [params, setParams] = useSearchParams();
  useEffect(() => {
    if (!params.size) return;
    const given = variablesIn(params, style.variables);
    if (Object.keys(given).length) change({ variables: given });
    setParams(new URLSearchParams(), { replace: true }); // so that a reload keeps what is changed afterwards
  }, [params, setParams, style, change]);
  return [draft, change];
}

type Variable = Style["variables"][number];

/** What is ordered of a variable: an option as in the prompt, or free text. Empty: nothing, or its usual text. */
export function valueOf({ name, options, values, default: usual }: Variable, { variables }: Pick<Draft, "variables">): string {
  const given = variables[name] ?? "";
  if (!options.length || values.includes(given)) return given;
  return usual === null ? "" : (values[options.indexOf(usual)] ?? "");
}

function common(style: Style, draft: Draft) {
  return {
    styleId: style.id,
    media: draft.media,
    quality: draft.quality,
    count: draft.count,
    ...(draft.aspectRatio && { aspectRatio: draft.aspectRatio }),
    ...(draft.model && { model: draft.model }),
    ...(draft.media === "VIDEO" && draft.duration && { durationSeconds: draft.duration }),
  };
}

export function quoteOf(style: Style, draft: Draft, hasPhoto: boolean): QuoteInput {
  return { ...common(style, draft), hasPhoto };
}

export function orderOf(style: Style, draft: Draft, uploadId: string | null): CreateGenerationInput {
  const filled = style.variables.map((variable) => [variable.name, valueOf(variable, draft).trim()] as const);
  const variables = Object.fromEntries(filled.filter(([, value]) => value));
  const prompt = draft.prompt.trim();
  return {
    ...common(style, draft),
    ...(style.usesSize && { size: draft.size }),
    ...(prompt && { prompt, enhancePrompt: draft.enhance }),
    ...(uploadId && { uploadId }),
    ...(Object.keys(variables).length > 0 && { variables }),
  };
}
