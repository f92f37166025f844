// Runs the audits of GraphQL over HTTP against the server at URL, and writes one line of JSON for each.
import { serverAudits } from "graphql-http";

for (const audit of serverAudits({ url: process.env["URL"]!, fetchFn: fetch })) {
  const result = await audit.fn();
  const reason = result.status === "ok" ? null : result.reason;
  console.log(JSON.stringify({ id: audit.id, name: audit.name, status: result.status, reason }));
}
