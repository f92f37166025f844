// The GraphQL over server-sent events protocol, in its mode of distinct connections, as the package graphql-sse has it.
// Prints one line of JSON per check. URL: the endpoint; TOKEN: of a session.
import { createClient, parseStreamData, validateStreamEvent, type RequestParams } from "graphql-sse";

const url = process.env["URL"] as string;
const headers = { authorization: `Bearer ${process.env["TOKEN"]}` };
const QUERY = "{ __typename }";
const LIVE = "subscription { galleryChanged { kind } }";

async function post(body: unknown): Promise<Response> {
  return await fetch(url, {
    method: "POST",
    headers: { ...headers, accept: "text/event-stream", "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** The events of a stream, validated by the package, until `complete`, or the first `limit`. */
async function events(response: Response, limit = Infinity): Promise<[string, unknown][]> {
  const found: [string, unknown][] = [];
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n").filter((line) => line && !line.startsWith(":"));
      text = text.slice(end + 2);
      if (!lines.length) continue;
      const part = (name: string) => lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim() ?? "";
      const event = validateStreamEvent(part("event"));
      found.push([event, part("data") ? parseStreamData(event, part("data")) : null]);
      if (event === "complete" || found.length >= limit) return found;
    }
  }
  return found;
}

async function results(request: RequestParams, limit = Infinity): Promise<unknown[]> {
  const client = createClient({ url, headers, retryAttempts: 0 });
  const found = [];
  for await (const result of client.iterate(request)) if (found.push(result) >= limit) break;
  client.dispose();
  return found;
}

function equal(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
  }
}

const checks: Record<string, () => Promise<void>> = {
  "a stream has its media type and is not cached": async () => {
    const response = await post({ query: LIVE });
    equal(response.status, 200);
    equal(response.headers.get("content-type")?.split(";")[0], "text/event-stream");
    equal(/no-(cache|store)/.test(response.headers.get("cache-control") ?? ""), true);
    await response.body?.cancel();
  },
  "a subscription is a next for each result": async () => {
    const snapshot = { data: { galleryChanged: { kind: "SNAPSHOT" } } };
    equal(await events(await post({ query: LIVE }), 1), [["next", snapshot]]);
  },
  "a query is one next and a complete": async () => {
    equal(await events(await post({ query: QUERY })), [["next", { data: { __typename: "Query" } }], ["complete", null]]);
  },
  "the package's client runs queries": async () => equal(await results({ query: QUERY }), [{ data: { __typename: "Query" } }]),
  "the package's client runs mutations": async () => {
    const query = 'mutation { setFavorite(id: "gen_01k0000000000000000000000", isFavorite: true) { generation { id } } }';
    equal(await results({ query }), [{ data: { setFavorite: { generation: null } } }]);
  },
  "the package's client runs subscriptions": async () => {
    equal(await results({ query: LIVE }, 1), [{ data: { galleryChanged: { kind: "SNAPSHOT" } } }]);
  },
  "variables and operationName are understood": async () => {
    const query = "query A { __typename } query B($id: ID!) { node(id: $id) { id } }";
    const request = { query, operationName: "B", variables: { id: "gen_01k0000000000000000000000" } };
    equal(await results(request), [{ data: { node: null } }]);
  },
};

for (const [name, query] of Object.entries({ "a syntax error": "{", "a validation error": "{ unknown }" })) {
  checks[`${name} is answered before a stream begins, or in it`] = async () => {
    const response = await post({ query });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    const answer = isStream ? (await events(response))[0]?.[1] : await response.json();
    equal((answer as { errors: unknown[] }).errors.length > 0, true);
  };
}

await Promise.all(
  Object.entries(checks).map(async ([name, check]) => {
    const status = await check().then(() => "ok", (error: unknown) => String(error));
    console.log(JSON.stringify({ name, status }));
  }),
);
process.exit(0);
