// The pictures of the answer on the screen, below it: one develops as its messages come.
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useMemo, useRef, useState } from "react";

import { picturesIn, type Picture } from "./pictures";
import type { Text } from "./text";

/** What the editor shows; while the next answer is awaited, what it showed before, so that nothing jumps. */
function useAnswer(): string {
  const editor = useGraphiQL((state) => state.responseEditor);
  const isFetching = useGraphiQL((state) => state.isFetching);
  const [answer, setAnswer] = useState("");
  const last = useRef("");
  useEffect(() => {
    if (!editor) return;
    const read = () => setAnswer(editor.getValue());
    read();
    const listening = editor.onDidChangeModelContent(read);
    return () => listening.dispose();
  }, [editor]);
  if (answer || !isFetching) last.current = answer;
  return last.current;
}

function Frame({ picture: { shown, whole, words }, text }: { picture: Picture; text: Text }) {
  const [broken, setBroken] = useState<string | null>(null); // a link that has come to its end
  if (!shown || shown === broken) return <li className={shown ? "frame" : "frame waiting"} />;
  const image = <img src={shown} alt={words || text.picture} onError={() => setBroken(shown)} />;
  return (
    <li className="frame">
      {whole ? (
        <a href={whole} target="_blank" rel="noreferrer" title={text.openPicture}>
          {image}
        </a>
      ) : (
        image
      )}
    </li>
  );
}

export function Strip({ text }: { text: Text }) {
  const answer = useAnswer();
  const pictures = useMemo(() => picturesIn(answer), [answer]);
  if (pictures.length === 0) return null;
  return (
    <ul className={pictures.length === 1 ? "strip single" : "strip"} aria-label={text.pictures}>
      {pictures.map((picture, index) => (
        <Frame key={index} picture={picture} text={text} />
      ))}
    </ul>
  );
}
