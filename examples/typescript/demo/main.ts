// The main job from a program's point of view: sign up and in, send a photo both ways, watch it develop, page the gallery.
// Usage: npm start -- [photo.jpg] ; DARKROOM_URL: the address of the GraphQL endpoint; DARKROOM_TRANSPORT: websocket or
// events; DARKROOM_TRUSTED: send the hashes of the documents, and not their text.
import {
  accepted, CreateGenerationDocument, Darkroom, FindStyleDocument, GalleryDocument, newKey, SignInDocument, SignUpDocument,
  type CreateGenerationInput, type GalleryQuery,
} from "@darkroom/client";
import { photoFile } from "@darkroom/client/node";

const url = process.env["DARKROOM_URL"] ?? "http://127.0.0.1:8000/graphql";
const transport = (process.env["DARKROOM_TRANSPORT"] ?? "auto") as "auto" | "websocket" | "events";
const darkroom = new Darkroom({ url, transport, trustedDocuments: "DARKROOM_TRUSTED" in process.env });
const photoPath = process.argv[2];
const say = (what: string, facts: object) => console.log(JSON.stringify({ what, ...facts }));

async function order(input: CreateGenerationInput): Promise<string> {
  // The key makes it safe to send the same request again after a cut connection.
  const keyed = { idempotencyKey: newKey(), ...input };
  const { createGeneration } = await darkroom.run(CreateGenerationDocument, { input: keyed });
  const [generation] = accepted(createGeneration).generations; // throws what the user can mend
  if (!generation) throw new Error("nothing was ordered");
  say("ordered", { id: generation.id, cost: generation.cost, credits: createGeneration.viewer?.credits });
  return generation.id;
}

async function develop(id: string): Promise<void> {
  for await (const now of darkroom.watchGeneration(id)) {
    say("progress", { id, version: now.version, stage: now.stage, progress: now.progress, message: now.message });
    if (now.status === "FAILED") throw new Error(now.errorMessage ?? "failed");
    if (now.result) say("picture", { id, url: now.result.url, width: now.result.width, height: now.result.height });
  }
}

async function main(): Promise<void> {
  const account = { email: `example-${newKey()}@example.com`, password: newKey() };
  const { signUp } = await darkroom.run(SignUpDocument, { input: account }); // its token could be used as well
  const { user } = accepted(signUp);
  say("signed up", { id: user?.id, credits: user?.credits });
  const { signIn } = await darkroom.run(SignInDocument, { input: account });
  darkroom.token = accepted(signIn).token;

  if (photoPath) {
    const photo = await photoFile(photoPath);
    const { style } = await darkroom.run(FindStyleDocument, { slug: "cute", collection: "plushify" });
    if (!style) throw new Error("this server has no such style");
    await develop(await order({ styleId: style.id, image: photo }));
    const uploadId = await darkroom.upload(photo, { onProgress: (bytes) => say("sending", bytes) });
    await develop(await order({ styleId: style.id, uploadId }));
  }
  await develop(await order({ prompt: "A lighthouse at dusk", aspectRatio: "3:2" }));

  for (let after: string | null = null, more = true; more; ) {
    const page: GalleryQuery = await darkroom.run(GalleryDocument, { first: 2, after });
    const { edges, pageInfo, totalCount } = page.viewer!.generations;
    say("page", { totalCount, ids: edges.map(({ node }) => node.id), statuses: edges.map(({ node }) => node.status) });
    after = pageInfo.endCursor;
    more = pageInfo.hasNextPage;
  }
}

await main().finally(() => darkroom.close());
