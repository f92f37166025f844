// The GraphQL over WebSocket protocol, as the package graphql-ws has it: its client, its close codes, and its validation
// of every message that the server sends. Prints one line of JSON per check. URL: the endpoint; TOKEN: of a session.
import { CloseCode, createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL, MessageType, validateMessage } from "graphql-ws";

const url = (process.env["URL"] as string).replace(/^http/, "ws");
const payload = { Authorization: `Bearer ${process.env["TOKEN"]}` };
const QUERY = "{ __typename }";
const LIVE = "subscription { galleryChanged { kind } }";

type Message = { id?: string; type: string; payload?: unknown };

/** A socket whose received messages are validated as they arrive. */
class Wire {
  readonly closed: Promise<number>;
  private readonly socket: WebSocket;
  private readonly messages: Message[] = [];
  private wake = (): void => {};
  private problem: unknown = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.onmessage = ({ data }) => {
      try {
        this.messages.push(validateMessage(JSON.parse(data as string)) as Message);
      } catch (error) {
        this.problem = error;
      }
      this.wake();
    };
    this.closed = new Promise((resolve) => (socket.onclose = ({ code }) => (resolve(code), this.wake())));
  }

  static async open(protocol: string = GRAPHQL_TRANSPORT_WS_PROTOCOL): Promise<Wire> {
    const socket = new WebSocket(url, protocol);
    const wire = new Wire(socket);
    await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
    return wire;
  }

  static async acknowledged(): Promise<Wire> {
    const wire = await Wire.open();
    wire.send({ type: MessageType.ConnectionInit, payload });
    equal((await wire.next()).type, MessageType.ConnectionAck);
    return wire;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, more: object = {}): void {
    this.send({ id, type: MessageType.Subscribe, payload: { query, ...more } });
  }

  async next(): Promise<Message> {
    while (!this.messages.length) {
      if (this.problem) throw this.problem;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("the socket is closed");
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return this.messages.shift() as Message;
  }

  /** Expect these messages, as "type id", and nothing before them. */
  async expect(...expected: string[]): Promise<void> {
    for (const one of expected) {
      const { type, id } = await this.next();
      equal(id ? `${type} ${id}` : type, one);
    }
  }

  async isOpen(): Promise<void> {
    this.send({ type: MessageType.Ping });
    equal((await this.next()).type, MessageType.Pong);
    this.socket.close();
  }
}

function equal(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
  }
}

const checks: Record<string, () => Promise<void>> = {
  "the subprotocol is chosen": async () => equal((await Wire.open()).protocol, GRAPHQL_TRANSPORT_WS_PROTOCOL),
  "connection_init is acknowledged": async () => (await Wire.acknowledged()).isOpen(),
  "connection_init without a payload is acknowledged": async () => {
    const wire = await Wire.open();
    wire.send({ type: MessageType.ConnectionInit });
    await wire.expect("connection_ack");
  },
  "a ping is answered with its payload": async () => {
    const wire = await Wire.acknowledged();
    wire.send({ type: MessageType.Ping, payload: { at: 7 } });
    equal(await wire.next(), { type: "pong", payload: { at: 7 } });
  },
  "a ping is answered before connection_init": async () => (await Wire.open()).isOpen(),
  "a pong is ignored": async () => {
    const wire = await Wire.acknowledged();
    wire.send({ type: MessageType.Pong });
    await wire.isOpen();
  },
  "a query is one next and a complete": async () => {
    const wire = await Wire.acknowledged();
    wire.subscribe("a", QUERY);
    await wire.expect("next a", "complete a");
    await wire.isOpen();
  },
  "an id may be used again after its complete": async () => {
    const wire = await Wire.acknowledged();
    for (let turn = 0; turn < 2; turn += 1) {
      wire.subscribe("a", QUERY);
      await wire.expect("next a", "complete a");
    }
  },
  "a subscription goes on until the client completes it": async () => {
    const wire = await Wire.acknowledged();
    wire.subscribe("live", LIVE);
    await wire.expect("next live");
    wire.send({ id: "live", type: MessageType.Complete });
    wire.subscribe("live", QUERY);
    await wire.expect("next live", "complete live");
    await wire.isOpen();
  },
  "operations of one socket run beside each other": async () => {
    const wire = await Wire.acknowledged();
    wire.subscribe("live", LIVE);
    await wire.expect("next live");
    wire.subscribe("b", QUERY);
    await wire.expect("next b", "complete b");
  },
  "variables of a wrong type are answered by a result, as execution does": async () => {
    const wire = await Wire.acknowledged();
    wire.subscribe("a", "query($id: ID!) { node(id: $id) { id } }", { variables: { id: {} } });
    await wire.expect("next a", "complete a");
  },
  "complete of an unknown id is ignored": async () => {
    const wire = await Wire.acknowledged();
    wire.send({ id: "unknown", type: MessageType.Complete });
    await wire.isOpen();
  },
};

const failures: Record<string, [string, object?]> = {
  "a syntax error": ["{"],
  "a validation error": ["{ unknown }"],
  "an unknown operationName": ["query A { __typename }", { operationName: "B" }],
  "a document without an operation": ["fragment A on Query { __typename }"],
};
for (const [name, [query, more]] of Object.entries(failures)) {
  checks[`${name} ends the operation and not the socket`] = async () => {
    const wire = await Wire.acknowledged();
    wire.subscribe("a", query, more);
    await wire.expect("error a");
    await wire.isOpen();
  };
}

const subscribe = (message: object) => JSON.stringify({ id: "a", type: MessageType.Subscribe, ...message });
const closing: Record<string, [number, (wire: Wire) => void, "before the acknowledgement"?]> = {
  "subscribe before the acknowledgement": [CloseCode.Unauthorized, (wire) => wire.subscribe("a", QUERY), "before the acknowledgement"],
  "no connection_init": [CloseCode.ConnectionInitialisationTimeout, () => {}, "before the acknowledgement"],
  "a second connection_init": [CloseCode.TooManyInitialisationRequests, (wire) => wire.send({ type: "connection_init" })],
  "an id in use": [CloseCode.SubscriberAlreadyExists, (wire) => (wire.subscribe("a", LIVE), wire.subscribe("a", LIVE))],
  "no JSON": [CloseCode.BadRequest, (wire) => wire.send("}")],
  "JSON that is no object": [CloseCode.BadRequest, (wire) => wire.send("7")],
  "an unknown type": [CloseCode.BadRequest, (wire) => wire.send({ type: "start" })],
  "a message of the server": [CloseCode.BadRequest, (wire) => wire.send({ type: "connection_ack" })],
  "subscribe without an id": [CloseCode.BadRequest, (wire) => wire.send({ type: "subscribe", payload: { query: QUERY } })],
  "subscribe with an empty id": [CloseCode.BadRequest, (wire) => wire.subscribe("", QUERY)],
  "subscribe without a payload": [CloseCode.BadRequest, (wire) => wire.send(subscribe({}))],
  "subscribe without a query": [CloseCode.BadRequest, (wire) => wire.send(subscribe({ payload: {} }))],
  "a query that is no text": [CloseCode.BadRequest, (wire) => wire.send(subscribe({ payload: { query: 7 } }))],
  "variables that are no object": [CloseCode.BadRequest, (wire) => wire.subscribe("a", QUERY, { variables: "x" })],
  "extensions that are no object": [CloseCode.BadRequest, (wire) => wire.subscribe("a", QUERY, { extensions: 7 })],
  "an operationName that is no text": [CloseCode.BadRequest, (wire) => wire.subscribe("a", QUERY, { operationName: {} })],
  "complete without an id": [CloseCode.BadRequest, (wire) => wire.send({ type: "complete" })],
};
for (const [name, [code, act, early]] of Object.entries(closing)) {
  checks[`${name} closes with ${code}`] = async () => {
    const wire = early ? await Wire.open() : await Wire.acknowledged();
    act(wire);
    equal(await wire.closed, code);
  };
}
checks["a token that is invalid closes with 4403"] = async () => {
  const wire = await Wire.open();
  wire.send({ type: MessageType.ConnectionInit, payload: { Authorization: "Bearer nonsense" } });
  equal(await wire.closed, CloseCode.Forbidden);
};
checks["the package's client runs queries and subscriptions"] = async () => {
  const client = createClient({ url, connectionParams: payload, keepAlive: 100 });
  for await (const result of client.iterate({ query: QUERY })) equal(result.data, { __typename: "Query" });
  for await (const result of client.iterate({ query: LIVE })) {
    equal(result.data, { galleryChanged: { kind: "SNAPSHOT" } });
    break;
  }
  await client.dispose();
};

await Promise.all(
  Object.entries(checks).map(async ([name, check]) => {
    const status = await check().then(() => "ok", (error: unknown) => String(error));
    console.log(JSON.stringify({ name, status }));
  }),
);
process.exit(0);
