// An order: a style, a photo that is sent ahead or with the order, the user's words, and the price before it is paid.
import { useUpload, type Quote } from "@darkroom/client/react";
import { useState, type FormEvent, type ReactNode } from "react";
import { useData } from "./data.ts";
import { Problem } from "./problem.tsx";

export function OrderForm({ credits }: { readonly credits: number | null }): ReactNode {
  const { useCollections, useDeployment, useOrder, useQuote } = useData();
  const { value: deployment } = useDeployment();
  const { value: collections, error: catalogueError } = useCollections();
  const order = useOrder();
  const upload = useUpload();
  const [styleId, setStyleId] = useState("");
  const [photo, setPhoto] = useState<File | null>(null);
  const [isAhead, setIsAhead] = useState(true);
  const [prompt, setPrompt] = useState("");
  const style = collections?.flatMap(({ styles }) => styles).find(({ id }) => id === styleId);
  const quote = useQuote(styleId ? { styleId } : prompt ? {} : null);
  const needsPhoto = style?.referenceImage === "REQUIRED";
  const isReady = styleId ? !needsPhoto || (isAhead ? upload.uploadId !== null : photo !== null) : prompt !== "";
  const isPhotoMissing = isAhead && (upload.state === "sending" || upload.state === "failed"); // paid for without it otherwise

  const choose = (file: File | null, ahead: boolean) => {
    setPhoto(file);
    setIsAhead(ahead);
    if (file && ahead) void upload.start(file);
    else upload.reset();
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const reference = isAhead ? upload.uploadId && { uploadId: upload.uploadId } : photo && { image: photo };
    const input = { ...(styleId && { styleId }), ...(prompt && { prompt }), ...(style?.referenceImage !== "UNUSED" && reference) };
    if (await order.create(input)) setPrompt("");
  };

  return (
    <form onSubmit={(event) => void submit(event)} aria-label="Order">
      <select aria-label="Style" value={styleId} onChange={(event) => setStyleId(event.target.value)}>
        <option value="">Your own words only</option>
        {collections?.map(({ id, title, styles }) => (
          <optgroup key={id} label={title}>
            {styles.map((one) => (
              <option key={one.id} value={one.id} disabled={one.locked}>
                {one.title}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <input
        aria-label="Photo"
        type="file"
        accept={deployment?.upload.contentTypes.join(",")}
        onChange={(event) => choose(event.target.files?.[0] ?? null, isAhead)}
      />
      <label>
        <input type="checkbox" checked={isAhead} onChange={(event) => choose(photo, event.target.checked)} /> Upload at once
      </label>
      {upload.state !== "idle" && <progress aria-label="Upload" value={upload.progress} data-state={upload.state} />}
      <input aria-label="Prompt" value={prompt} placeholder="Your words" maxLength={deployment?.promptMaxLength} onChange={(event) => setPrompt(event.target.value)} />
      {quote.value && <Price quote={quote.value} credits={credits} />}
      {quote.value?.errors.map(({ message }) => (
        <p key={message}>{message}</p>
      ))}
      <button disabled={!isReady || isPhotoMissing || order.busy}>Create</button>
      <Problem of={order.error ?? upload.error ?? quote.error ?? catalogueError} />
    </form>
  );
}

type PriceProps = { readonly quote: NonNullable<Quote["value"]>; readonly credits: number | null };

/** What is left changes with every order, the price does not: the live balance says it. */
function Price({ quote: { cost, paidBy }, credits }: PriceProps): ReactNode {
  const left = paidBy === "CREDITS" && credits !== null ? `, ${credits - cost} left` : "";
  return (
    <output aria-label="Price">
      {cost === 1 ? "1 credit" : `${cost} credits`}
      {left}
    </output>
  );
}
