// The gallery: cards with live previews, and what can be done with a picture.
import type { GenerationPartsFragment } from "@darkroom/client";
import type { Gallery as GalleryState } from "@darkroom/client/react";
import { useState, type FormEvent, type ReactNode } from "react";
import { useData } from "./data.ts";
import { Problem } from "./problem.tsx";

const PAGE_SIZE = 2; // small, so that paging is seen at once

export function Gallery(): ReactNode {
  const gallery = useData().useGallery({ pageSize: PAGE_SIZE });
  return (
    <section aria-label="Gallery">
      <h2>
        Your pictures <output aria-label="Count">{gallery.totalCount}</output>
      </h2>
      <Problem of={gallery.error} />
      <ul>
        {gallery.generations.map((generation) => (
          <Card key={generation.id} generation={generation} gallery={gallery} />
        ))}
      </ul>
      {gallery.hasMore && (
        <button onClick={gallery.loadMore} disabled={gallery.loading}>
          More
        </button>
      )}
    </section>
  );
}

type CardProps = { readonly generation: GenerationPartsFragment; readonly gallery: GalleryState };

function Card({ generation: known, gallery }: CardProps): ReactNode {
  const isRunning = known.status === "PENDING" || known.status === "PROCESSING";
  const live = useData().useGeneration(isRunning ? known.id : null).generation;
  const now = live && live.version > known.version ? live : known;
  return (
    <li data-id={now.id} data-status={now.status}>
      <Picture of={now} />
      <p>{now.status === "COMPLETED" ? (now.prompt ?? now.styleTitle) : (now.errorMessage ?? now.message)}</p>
      {now.status !== "COMPLETED" && <progress aria-label="Progress" value={now.progress} />}
      {now.status === "COMPLETED" && <Tools of={now} gallery={gallery} />}
      <button onClick={() => void gallery.remove(now.id)}>Delete</button>
    </li>
  );
}

function Picture({ of: { result, previewUrl, prompt, styleTitle } }: { readonly of: GenerationPartsFragment }): ReactNode {
  const alt = prompt ?? styleTitle ?? "";
  if (!result) return previewUrl ? <img className="preview" src={previewUrl} alt={alt} /> : <div className="empty" />;
  const background = result.placeholder ? { backgroundImage: `url("${result.placeholder}")` } : {};
  return (
    <a href={result.url} target="_blank" rel="noreferrer">
      <img src={result.thumbnailUrl ?? result.url} alt={alt} style={background} />
    </a>
  );
}

function Tools({ of: { id, isFavorite, shareUrl }, gallery }: { readonly of: GenerationPartsFragment; readonly gallery: GalleryState }): ReactNode {
  const order = useData().useOrder();
  const [instruction, setInstruction] = useState("");
  const refine = async (event: FormEvent) => {
    event.preventDefault();
    if (await order.refine({ id, instruction })) setInstruction("");
  };
  return (
    <>
      <button aria-pressed={isFavorite} onClick={() => void gallery.setFavorite(id, !isFavorite)}>
        Favorite
      </button>
      {shareUrl ? (
        <>
          <a href={shareUrl}>Public page</a>
          <button onClick={() => void gallery.unshare(id)}>Stop sharing</button>
        </>
      ) : (
        <button onClick={() => void gallery.share(id)}>Share</button>
      )}
      <form onSubmit={(event) => void refine(event)} aria-label="Refine">
        <input aria-label="Change" value={instruction} onChange={(event) => setInstruction(event.target.value)} required />
        <button disabled={order.busy}>Refine</button>
      </form>
      <Problem of={order.error} />
    </>
  );
}
