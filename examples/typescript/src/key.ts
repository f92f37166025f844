// Idempotency keys: the same key with the same input is paid for once, however often the request is sent.

/** A new random key; also where pages are not served by https, which leaves them no crypto.randomUUID. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
