// The gallery page by Mercurius with its JIT compiler, and pg with prepared statements.
import { createHash } from "node:crypto";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";

const [port, connectionString, sessionSql, pageSql] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 });
pg.types.setTypeParser(20, Number); // int8

const schema = `
  type Generation { id: ID! status: String! stage: String! progress: Float! prompt: String size: String!
    quality: String! cost: Int! isFavorite: Boolean! createdAt: String! }
  type Edge { cursor: String! node: Generation! }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Connection { edges: [Edge!]! pageInfo: PageInfo! }
  type Viewer { credits: Int! generations(first: Int!): Connection! }
  type Query { viewer: Viewer }
`;
const cursor = (id) => Buffer.from(`NEWEST ${id}`).toString("base64");
const resolvers = {
  Query: {
    async viewer(_, __, { token }) {
      const hash = createHash("sha256").update(token).digest("hex");
      const { rows } = await pool.query({ name: "session", text: sessionSql, values: [hash] });
      return rows[0] ?? null;
    },
  },
  Viewer: {
    async generations(user, { first }) {
      const { rows } = await pool.query({ name: "page", text: pageSql, values: [user.id] });
      const edges = rows.slice(0, first).map((node) => ({ cursor: cursor(node.id), node }));
      return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor ?? null } };
    },
  },
  Generation: {
    isFavorite: (row) => row.is_favorite,
    createdAt: (row) => row.created_at.toISOString().replace(".000Z", "Z"),
  },
};
const app = Fastify();
app.register(mercurius, {
  schema,
  resolvers,
  jit: 1,
  context: (request) => ({ token: request.headers.authorization.slice("Bearer ".length) }),
});
app.get("/", async () => "ready");
await app.listen({ port: Number(port), host: "127.0.0.1" });
