// One HTTP request with a body that may be large: with progress where the platform can tell it, which fetch cannot.

/** Bytes sent so far, of all. */
export type Progress = { readonly sent: number; readonly total: number };

export type Transfer = {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: FormData | Blob | string;
  readonly credentials?: RequestCredentials;
  readonly signal?: AbortSignal | undefined;
  /** Called while the body is sent. Browsers call it often; elsewhere it is called at the start and at the end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
};

export type Answer = { readonly status: number; readonly text: string };

/** Send the request by XMLHttpRequest where progress is wanted and there is one, else by fetch. */
export async function transfer(request: Transfer): Promise<Answer> {
  if (request.onProgress && typeof XMLHttpRequest !== "undefined") return byXhr(request, request.onProgress);
  const { url, onProgress, ...options } = request;
  const total = sizeOf(request.body);
  onProgress?.({ sent: 0, total });
  const response = await fetch(url, { ...options, signal: request.signal ?? null });
  onProgress?.({ sent: total, total });
  return { status: response.status, text: await response.text() };
}

function byXhr(request: Transfer, onProgress: (progress: Progress) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(request.method, request.url);
    xhr.withCredentials = request.credentials === "include";
    for (const [name, value] of Object.entries(request.headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded, total }) => onProgress({ sent: loaded, total });
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
    xhr.onerror = () => reject(new TypeError("The request failed: no connection, or refused by CORS."));
    xhr.onabort = () => reject(new DOMException("The request was aborted.", "AbortError"));
    if (request.signal?.aborted) return xhr.onabort(new ProgressEvent("abort"));
    request.signal?.addEventListener("abort", () => xhr.abort(), { once: true });
    xhr.send(request.body);
  });
}

function sizeOf(body: FormData | Blob | string): number {
  if (typeof body === "string") return body.length;
  if (body instanceof Blob) return body.size;
  return [...body.values()].reduce((sum, part) => sum + (typeof part === "string" ? part.length : part.size), 0);
}
