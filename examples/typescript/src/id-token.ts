// What the tokens of identity providers say of whom they are about, without a question to the server.

/** Whether both are an issuer's tokens (JWTs) about the same subject. Session tokens and API keys say nothing: false. */
export function isSameSubject(one: string, other: string): boolean {
  const subject = subjectOf(one);
  return subject !== null && subject === subjectOf(other);
}

function subjectOf(token: string): string | null {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token)?.[1];
  if (!payload) return null;
  try {
    const { iss, sub } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { iss?: unknown; sub?: unknown };
    return iss && sub ? JSON.stringify([iss, sub]) : null;
  } catch {
    return null;
  }
}
