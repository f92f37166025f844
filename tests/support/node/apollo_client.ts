// Uses the server at URL with Apollo Client, and writes what it got as one line of JSON.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";

const requests: string[] = [];
const recorded: typeof fetch = (input, init) => {
  const sent = String(input) + String(init?.body ?? "");
  const full = /[?&]query=|"query":/.test(sent);
  if (!sent.includes("subscription")) {
    requests.push(`${init?.method} ${sent.includes("sha256Hash") ? "hash" : "no hash"}${full ? " and document" : ""}`);
  }
  return fetch(input, init);
};
const http = new HttpLink({
  uri: process.env["URL"]!,
  fetch: recorded,
  headers: { authorization: `Bearer ${process.env["TOKEN"]}` },
});
const persisted = new PersistedQueryLink({
  sha256: (text) => createHash("sha256").update(text).digest("hex"),
  useGETForHashedQueries: true,
});
const open = () => new ApolloClient({ link: ApolloLink.from([persisted, http]), cache: new InMemoryCache() });

const STYLES = gql`query Styles { styles(first: 1) { totalCount } }`;
const queries = [];
for (const client of [open(), open()]) {
  const { data } = await client.query<{ styles: { totalCount: number } }>({ query: STYLES });
  queries.push(data!.styles.totalCount > 0);
}
const client = open();
const { data } = await client.mutate<{ updateProfile: { user: { name: string } } }>({
  mutation: gql`mutation Rename { updateProfile(input: { name: "Apollo" }) { user { id name } } }`,
});

function first<T>(query: string): Promise<{ data?: T; error?: { errors?: { extensions?: { code?: string } }[] } }> {
  return new Promise((resolve, reject) => {
    const stream = new ApolloClient({ link: http, cache: new InMemoryCache() })
      .subscribe<any>({ query: gql(query) })
      .subscribe({
        next: (result: any) => {
          resolve(result);
          setTimeout(() => stream.unsubscribe());
        },
        error: reject,
      });
  });
}

const credits = await first<{ creditsChanged: { credits: number } }>("subscription Credits { creditsChanged { credits } }");
const refused = await first<unknown>("subscription Wrong { nothing }");
console.log(
  JSON.stringify({
    requests,
    queries,
    name: data!.updateProfile.user.name,
    credits: [credits.data!.creditsChanged.credits],
    refusal: refused.error?.errors?.[0]?.extensions?.code,
  }),
);
process.exit(0);
