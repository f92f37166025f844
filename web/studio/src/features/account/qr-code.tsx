// A QR code as a picture: dark on white in both themes, because not every camera reads the inverse.
import { encode } from "uqr";
import style from "./account.module.css";

const BORDER = 4; // modules; the standard asks for them

export default function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const { data, size } = encode(text, { ecc: "M", boostEcc: false, border: BORDER });
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" className={style["qr"]}>
      <rect width={size} height={size} fill="#fff" />
      <path d={data.map(runs).join("")} fill="#000" />
    </svg>
  );
}

/** The path of one row: a rectangle for each run of dark modules. */
function runs(row: readonly boolean[], y: number): string {
  let path = "";
  for (let x = 0; x < row.length; x++) {
    if (!row[x]) continue;
    const start = x;
    while (row[x + 1]) x++;
    const length = x + 1 - start;
    path += `M${start} ${y}h${length}v1h-${length}z`;
  }
  return path;
}
