// The images of the displayed response, below it; previews appear as their events arrive.
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useMemo, useRef, useState } from "react";

import { picturesIn, type Picture } from "./pictures";
import type { Text } from "./text";

/** Return the response editor's text; while a response is loading, the previous text, to avoid layout shifts. */
function useResponseText(): string {
  const editor = useGraphiQL((state) => state.responseEditor);
  const isFetching = useGraphiQL((state) => state.isFetching);
  const [response, setResponse] = useState("");
  const last = useRef("");
  useEffect(() => {
    if (!editor) return;
    const read = () => setResponse(editor.getValue());
    read();
    const listener = editor.onDidChangeModelContent(read);
    return () => listener.dispose();
  }, [editor]);
  if (response || !isFetching) last.current = response;
  return last.current;
}

function Frame({ picture: { shown, full, alt }, text }: { picture: Picture; text: Text }) {
  const [broken, setBroken] = useState<string | null>(null); // a link that has expired
  if (!shown || shown === broken) return <li className={shown ? "frame" : "frame waiting"} />;
  const image = <img src={shown} alt={alt || text.picture} onError={() => setBroken(shown)} />;
  return (
    <li className="frame">
      {full ? (
        <a href={full} target="_blank" rel="noreferrer" title={text.openPicture}>
          {image}
        </a>
      ) : (
        image
      )}
    </li>
  );
}

export function Strip({ text }: { text: Text }) {
  const response = useResponseText();
  const pictures = useMemo(() => picturesIn(response), [response]);
  if (pictures.length === 0) return null;
  return (
    <ul className={pictures.length === 1 ? "strip single" : "strip"} aria-label={text.pictures}>
      {pictures.map((picture, index) => (
        <Frame key={index} picture={picture} text={text} />
      ))}
    </ul>
  );
}
