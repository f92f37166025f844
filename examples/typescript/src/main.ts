// The main job from a browser's point of view: sign up and in, send a photo both ways, watch it develop, page the gallery.
// Usage: npm start -- [photo.jpg] ; DARKROOM_URL: the address of the GraphQL endpoint.
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { Darkroom } from "./client.ts";
import { CreateGeneration, CreateUpload, FindStyle, Gallery, Progress, SignIn, SignUp } from "./operations.ts";
import type { CreateGenerationInput, GalleryQuery } from "./gql/graphql.ts";

const darkroom = new Darkroom(process.env["DARKROOM_URL"] ?? "http://127.0.0.1:8000/graphql");
const photoPath = process.argv[2];
const say = (what: string, facts: object) => console.log(JSON.stringify({ what, ...facts }));

/** Payload errors are those that the user can fix: show the message beside the field. */
function refuse(errors: readonly { code: string; message: string }[]): void {
  if (errors.length) throw new Error(errors.map((error) => `${error.code}: ${error.message}`).join("\n"));
}

async function order(input: CreateGenerationInput, files: Record<string, Blob> = {}): Promise<string> {
  // The key makes it safe to send the same request again after a cut connection.
  const keyed = { idempotencyKey: randomUUID(), ...input };
  const { createGeneration } = await darkroom.run(CreateGeneration, { input: keyed }, files);
  refuse(createGeneration.errors);
  const [generation] = createGeneration.generations;
  if (!generation) throw new Error("nothing was ordered");
  say("ordered", { id: generation.id, cost: generation.cost, credits: createGeneration.viewer?.credits });
  return generation.id;
}

async function develop(id: string): Promise<void> {
  for await (const { generationProgress: now } of darkroom.watch(Progress, { id })) {
    say("progress", { id, stage: now.stage, progress: now.progress, message: now.message });
    if (now.status === "FAILED") throw new Error(now.errorMessage ?? "failed");
    if (now.result) say("picture", { id, url: now.result.url, width: now.result.width, height: now.result.height });
  }
}

async function sendAhead(photo: Blob): Promise<string> {
  const { createUpload } = await darkroom.run(CreateUpload, {
    input: { contentType: photo.type, byteSize: photo.size, idempotencyKey: randomUUID() },
  });
  refuse(createUpload.errors);
  const target = createUpload.upload;
  if (!target) throw new Error("no upload");
  const headers = target.headers as Record<string, string>;
  const body = target.fields ? formOf(target.fields, photo) : photo;
  const answer = await fetch(target.url, { method: target.method, headers, body });
  if (!answer.ok) throw new Error(`the upload was answered ${answer.status}`);
  return target.id;
}

function formOf(fields: object, photo: Blob): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  form.set("file", photo);
  return form;
}

async function main(): Promise<void> {
  const account = { email: `example-${randomUUID()}@example.com`, password: randomUUID() };
  const { signUp } = await darkroom.run(SignUp, { input: account }); // its token could be used as well
  refuse(signUp.errors);
  say("signed up", { id: signUp.user?.id, credits: signUp.user?.credits });
  const { signIn } = await darkroom.run(SignIn, { input: account });
  refuse(signIn.errors);
  darkroom.signedIn(signIn.token as string);

  if (photoPath) {
    const type = photoPath.endsWith(".png") ? "image/png" : "image/jpeg";
    const photo = new Blob([await readFile(photoPath)], { type });
    const { style } = await darkroom.run(FindStyle, { slug: "cute", collection: "plushify" });
    if (!style) throw new Error("this server has no such style");
    await develop(await order({ styleId: style.id, image: photo }, { "input.image": photo }));
    await develop(await order({ styleId: style.id, uploadId: await sendAhead(photo) }));
  }
  await develop(await order({ prompt: "A lighthouse at dusk", aspectRatio: "3:2" }));

  for (let after: string | null = null, more = true; more; ) {
    const page: GalleryQuery = await darkroom.run(Gallery, { first: 2, after });
    const { nodes, pageInfo, totalCount } = page.viewer!.generations;
    say("page", { totalCount, ids: nodes.map((node) => node.id), statuses: nodes.map((node) => node.status) });
    after = pageInfo.endCursor;
    more = pageInfo.hasNextPage;
  }
}

await main().finally(() => darkroom.close());
