// Photos before they are sent: read, turned, cropped, and made smaller where they are larger than the server takes.

export type Rules = { readonly maxBytes: number; readonly contentTypes: readonly string[] };
export type Prepared = { readonly file: Blob; readonly url: string | null; readonly width: number; readonly height: number };
export type Area = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** The browser cannot read the file, or it is no picture. */
export class UnreadableError extends Error {}

/** The browser cannot read the file either, and it is larger than the server takes. */
export class TooLargeError extends UnreadableError {
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    super();
    this.maxBytes = maxBytes;
  }
}

const LARGEST_SIDE = 4096; // pixels of a photo that is made smaller
const SMALLEST_SIDE = 64;
const MOST_PIXELS = 24_000_000; // that the server takes in every format
const SHRINK = 0.75; // of the sides, where no quality makes it small enough
const JPEG_QUALITIES = [0.92, 0.85, 0.75] as const; // from the best one

/** Return the photo as it is sent, with what is shown of it. HEIC goes as it is where only the server can read it. */
export async function prepared(file: Blob, rules: Rules): Promise<Prepared> {
  const type = typeOf(file);
  const accepted = rules.contentTypes.includes(type);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (!accepted || !/hei|avif/.test(type)) throw new UnreadableError();
    if (file.size > rules.maxBytes) throw new TooLargeError(rules.maxBytes);
    return { file, url: null, width: 0, height: 0 };
  }
  const { width, height } = bitmap;
  if (accepted && file.size <= rules.maxBytes && width * height <= MOST_PIXELS) {
    bitmap.close();
    return { file, url: URL.createObjectURL(file), width, height };
  }
  return shown(await fitted(bitmap, rules.maxBytes));
}

/** Return the photo turned by quarter turns to the right, and then cropped to an area of what is turned. */
export async function edited(file: Blob, turns: number, area?: Area): Promise<Blob> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  try {
    const canvas = drawn(bitmap, area ?? { x: 0, y: 0, ...turned(bitmap, turns) }, turns, LARGEST_SIDE);
    return await jpegOf(canvas, JPEG_QUALITIES[0]);
  } finally {
    bitmap.close();
  }
}

/** Return the photo in the best quality, and then of the largest sides, with which it has at most `maxBytes`. */
async function fitted(bitmap: ImageBitmap, maxBytes: number): Promise<Blob> {
  const { width, height } = bitmap;
  try {
    for (let side = Math.min(LARGEST_SIDE, Math.max(width, height)); side >= SMALLEST_SIDE; side *= SHRINK) {
      const canvas = drawn(bitmap, { x: 0, y: 0, width, height }, 0, side);
      for (const quality of JPEG_QUALITIES) {
        const jpeg = await jpegOf(canvas, quality);
        if (jpeg.size <= maxBytes) return jpeg;
      }
    }
  } finally {
    bitmap.close();
  }
  throw new TooLargeError(maxBytes);
}

function turned({ width, height }: ImageBitmap, turns: number): { width: number; height: number } {
  return turns % 2 ? { width: height, height: width } : { width, height };
}

function drawn(bitmap: ImageBitmap, area: Area, turns: number, largestSide: number): HTMLCanvasElement {
  const whole = turned(bitmap, turns);
  const scale = Math.min(1, largestSide / Math.max(area.width, area.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(area.width * scale));
  canvas.height = Math.max(1, Math.round(area.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new UnreadableError();
  context.fillStyle = "#fff"; // JPEG would show what is transparent as black
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  context.translate(whole.width / 2 - area.x, whole.height / 2 - area.y);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(bitmap, -bitmap.width / 2, -bitmap.height / 2);
  return canvas;
}

function jpegOf(canvas: HTMLCanvasElement, quality: number): Promise<Blob> {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new UnreadableError())), "image/jpeg", quality),
  );
}

async function shown(file: Blob): Promise<Prepared> {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  bitmap.close();
  return { file, url: URL.createObjectURL(file), width, height };
}

/** Some browsers do not know the types of .heic and .avif. */
function typeOf(file: Blob): string {
  if (file.type) return file.type.toLowerCase().replace("image/jpg", "image/jpeg").replace("image/heif", "image/heic");
  const ending = "name" in file ? /\.(heic|heif|avif)$/i.exec(String(file.name))?.[1]?.toLowerCase() : undefined;
  return ending ? `image/${ending === "heif" ? "heic" : ending}` : "";
}
