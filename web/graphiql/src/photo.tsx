// The photo for the next generation: chosen or dropped, uploaded at once, and filled in as `$uploadId`.
import { useCallback, useEffect, useRef, useState } from "react";

import { thumbnailOf, uploadPhoto } from "./files";
import type { Text } from "./text";

export interface Photo {
  name: string;
  thumbnail: string | null;
  id: string | null; // the `uploadId`; null while uploading
  problem: string; // why the upload failed; empty otherwise
}

export interface PhotoSelection {
  photo: Photo | null;
  choose: (file: File) => void;
  clear: () => void;
}

/** `account`: the owner's id; the selection is cleared when it changes. */
export function usePhoto(account: string | undefined, text: Text): PhotoSelection {
  const [photo, setPhoto] = useState<Photo | null>(null);
  const current = useRef(0); // the results of replaced or removed photos are ignored

  const clear = useCallback(() => {
    current.current++;
    setPhoto(null);
  }, []);

  const choose = useCallback(
    (file: File) => {
      const number = ++current.current;
      const update = (changes: Partial<Photo>) =>
        number === current.current && setPhoto((previous) => previous && { ...previous, ...changes });
      setPhoto({ name: file.name, thumbnail: null, id: null, problem: "" });
      void thumbnailOf(file).then((thumbnail) => update({ thumbnail }));
      uploadPhoto(file, text.uploadFailed).then(
        (id) => update({ id }),
        (error: Error) => update({ problem: error instanceof TypeError ? text.unreachable : error.message }),
      );
    },
    [text],
  );

  useEffect(() => clear, [account, clear]);

  return { photo, choose, clear };
}

/** Accept a file dropped anywhere on the page; return whether one is being dragged over it. */
function useDrop(choose: (file: File) => void): boolean {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    function accept(event: DragEvent) {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation(); // otherwise the editors would insert the file
      setIsOver(event.type === "dragover");
      const [file] = event.type === "drop" ? event.dataTransfer.files : [];
      if (file) choose(file);
    }
    const leave = (event: DragEvent) => event.relatedTarget === null && setIsOver(false);
    const options = { capture: true };
    addEventListener("dragover", accept, options);
    addEventListener("drop", accept, options);
    addEventListener("dragleave", leave, options);
    return () => {
      removeEventListener("dragover", accept, options);
      removeEventListener("drop", accept, options);
      removeEventListener("dragleave", leave, options);
    };
  }, [choose]);
  return isOver;
}

export function PhotoButton({ selection: { photo, choose, clear }, text }: { selection: PhotoSelection; text: Text }) {
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const isOver = useDrop(choose);

  function remove() {
    clear();
    button.current?.focus();
  }

  return (
    <div className="photo" data-state={photo && (photo.problem ? "failed" : photo.id ? "ready" : "uploading")}>
      <input
        ref={input}
        type="file"
        accept="image/jpeg,image/png,image/webp,image/heic,image/heif,image/avif,.heic,.heif,.avif"
        aria-label={text.photoHint}
        hidden
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          event.target.value = ""; // so that the same file can be chosen again
          if (file) choose(file);
        }}
      />
      <button ref={button} type="button" className="choose" title={text.photoHint} onClick={() => input.current?.click()}>
        {photo?.thumbnail && <img src={photo.thumbnail} alt="" width="28" height="28" />}
        <span className="name">{photo ? photo.name : text.photo}</span>
      </button>
      {photo && (
        <button type="button" className="remove" aria-label={text.removePhoto} title={text.removePhoto} onClick={remove}>
          ×
        </button>
      )}
      <span role="status" className="status">
        {photo && !photo.problem && (photo.id ? text.photoReady : text.photoUploading)}
      </span>
      {photo?.problem && <p role="alert">{photo.problem}</p>}
      {isOver && <div className="drop">{text.dropHere}</div>}
    </div>
  );
}
