// Fan-out by graphql-ws and ioredis: one connection to Redis, one JSON.parse per message, executed for each subscriber.
import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import Redis from "ioredis";
import { WebSocketServer } from "ws";

const [port, redisUrl] = process.argv.slice(2);
const redis = new Redis(redisUrl);
const listeners = new Map();
redis.on("message", (channel, text) => {
  const value = JSON.parse(text);
  for (const push of listeners.get(channel) ?? []) push(value);
});

function subscribe(channel, first) {
  const queue = [first];
  let wake = null;
  const push = (value) => {
    queue.push(value);
    wake?.();
  };
  if (!listeners.has(channel)) {
    listeners.set(channel, new Set());
    redis.subscribe(channel);
  }
  listeners.get(channel).add(push);
  return {
    async next() {
      while (!queue.length) await new Promise((resolve) => (wake = resolve));
      wake = null;
      return { value: { generationProgress: queue.shift() }, done: false };
    },
    async return() {
      listeners.get(channel).delete(push);
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const schema = buildSchema(`
  type Generation { id: ID! status: String! stage: String! progress: Float! version: Int! attempts: Int! }
  type Query { ready: Boolean }
  type Subscription { generationProgress(id: ID!): Generation }
`);
schema.getSubscriptionType().getFields().generationProgress.subscribe = (_, { id }) => {
  const first = { id, status: "PENDING", stage: "QUEUED", progress: 0, version: 1, attempts: 0 };
  return subscribe(`generation:${id}`, first);
};
const server = createServer((_, response) => response.end("ready"));
const sockets = new WebSocketServer({ server, path: "/graphql", perMessageDeflate: false });
useServer({ schema }, sockets);
server.listen(Number(port), "127.0.0.1");
