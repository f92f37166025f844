// Files that are dropped beside a field: without this, the browser would leave the page and show them.

type Taker = (file: File) => void;

let takers: readonly Taker[] = [];

/** Call `taker` with a file that is dropped anywhere on the page; return a function that stops it. The newest taker is asked. */
export function onFileDropped(taker: Taker): () => void {
  takers = [...takers, taker];
  return () => void (takers = takers.filter((one) => one !== taker));
}

/** Keep the page where files are dropped on it. */
export function startFileDrops(): void {
  const isTheirs = ({ defaultPrevented, dataTransfer, target }: DragEvent) =>
    defaultPrevented || !dataTransfer?.types.includes("Files") || (target instanceof HTMLInputElement && target.type === "file");
  addEventListener("dragover", (event) => {
    if (isTheirs(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = takers.length ? "copy" : "none";
  });
  addEventListener("drop", (event) => {
    if (isTheirs(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) takers.at(-1)?.(file);
  });
}
