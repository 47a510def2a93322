import { readFile } from "node:fs/promises";
import { Core, type JsonObject } from "../src/index.js";

const here = (path: string) => new URL(path, import.meta.url);

/** The cases that every client is held against. */
export const vectors = JSON.parse(await readFile(here("../../../vectors.json"), "utf8")) as JsonObject;

/** The client core, as `npm run core` builds it. */
export async function loadCore(): Promise<Core> {
  const path = here("../core.wasm");
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new Error("there is no client core yet: npm run core", { cause: error });
  });
  return Core.load(new Uint8Array(bytes));
}
