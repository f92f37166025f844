// The photo that the next picture is made from: chosen or dropped, sent ahead at once, and named in `$uploadId`.
import { useCallback, useEffect, useRef, useState } from "react";

import { sendAhead, thumbnailOf } from "./files";
import type { Text } from "./text";

export interface Photo {
  name: string;
  thumbnail: string | null;
  id: string | null; // for `uploadId`; null until it has arrived
  problem: string; // why it did not
}

export interface PhotoDesk {
  photo: Photo | null;
  choose: (file: File) => void;
  clear: () => void;
}

/** `account`: whose photo it is; another account starts without one. */
export function usePhoto(account: string | undefined, text: Text): PhotoDesk {
  const [photo, setPhoto] = useState<Photo | null>(null);
  const turn = useRef(0); // what comes back of a photo that was replaced or removed is nobody's

  const clear = useCallback(() => {
    turn.current++;
    setPhoto(null);
  }, []);

  const choose = useCallback(
    (file: File) => {
      const mine = ++turn.current;
      const know = (more: Partial<Photo>) =>
        mine === turn.current && setPhoto((before) => before && { ...before, ...more });
      setPhoto({ name: file.name, thumbnail: null, id: null, problem: "" });
      void thumbnailOf(file).then((thumbnail) => know({ thumbnail }));
      sendAhead(file, text.notArrived).then(
        (id) => know({ id }),
        (error: Error) => know({ problem: error instanceof TypeError ? text.unreachable : error.message }),
      );
    },
    [text],
  );

  useEffect(() => clear, [account, clear]);

  return { photo, choose, clear };
}

/** Whether a file is being dragged over the page, which takes it wherever it is dropped. */
function useDrop(choose: (file: File) => void): boolean {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    function take(event: DragEvent) {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation(); // the editors have a way of their own to take what is dropped
      setIsOver(event.type === "dragover");
      const [file] = event.type === "drop" ? event.dataTransfer.files : [];
      if (file) choose(file);
    }
    const leave = (event: DragEvent) => event.relatedTarget === null && setIsOver(false);
    const options = { capture: true };
    addEventListener("dragover", take, options);
    addEventListener("drop", take, options);
    addEventListener("dragleave", leave, options);
    return () => {
      removeEventListener("dragover", take, options);
      removeEventListener("drop", take, options);
      removeEventListener("dragleave", leave, options);
    };
  }, [choose]);
  return isOver;
}

export function PhotoButton({ desk: { photo, choose, clear }, text }: { desk: PhotoDesk; text: Text }) {
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const isOver = useDrop(choose);

  function remove() {
    clear();
    button.current?.focus();
  }

  return (
    <div className="photo" data-state={photo && (photo.problem ? "wrong" : photo.id ? "there" : "sending")}>
      <input
        ref={input}
        type="file"
        accept="image/jpeg,image/png,image/webp"
        aria-label={text.photoHint}
        hidden
        onChange={(event) => {
          const [file] = event.target.files ?? [];
          event.target.value = ""; // the same one may be chosen again
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
      <span role="status" className="said">
        {photo && !photo.problem && (photo.id ? text.photoThere : text.photoSending)}
      </span>
      {photo?.problem && <p role="alert">{photo.problem}</p>}
      {isOver && <div className="drop">{text.dropHere}</div>}
    </div>
  );
}
